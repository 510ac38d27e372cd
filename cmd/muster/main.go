// Command muster runs a fleet of real-time media workers and asks about it:
// the manager, a worker, a whole cluster on one machine, and the operator's
// verbs. It reads flags and wires the other packages together.
//
// Exit status: 0 done, 1 refused or failed (the reason is on stderr), 2 used
// wrongly.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is stamped by the linker: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// gcPercent is how much the heap may grow, in per cent of what is alive, before
// the garbage collector runs. A manager's state is small next to the messages
// that pass through, so that Go's 100 collects often and finds little. GOGC in
// the environment goes before it; GOMEMLIMIT bounds it.
const gcPercent = 400

// run carries out one command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := interruptible()
	defer stop()
	root, began := newRootCmd()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return statusDone
	}
	return report(stderr, cmd, err, *began)
}

// interruptible returns a context that the first SIGINT or SIGTERM ends, so
// that the command ends in good order. A second one ends the process at once:
// the goroutine that listens for it lasts as long as the process.
func interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(statusInterrupted)
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}

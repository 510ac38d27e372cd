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
	"sync/atomic"
	"syscall"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/tracing"
)

// version is stamped by the linker: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	tuneGC()
	ctx, stop := interruptible()
	defer stop()
	root, began := newRootCmd(args)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	tracing.Stop()
	if err == nil {
		return cli.Done
	}
	return cli.Report(stderr, cmd, err, *began)
}

// interruptible returns a context that the first SIGINT or SIGTERM ends, so
// that the command ends in good order. A second one ends the process at once,
// unless the command has asked with inHurry to hear of it; then a third does.
// The goroutine that listens lasts as long as the process.
func interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hurry{asked: make(chan struct{})}
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		if h.heard.Load() {
			close(h.asked)
			<-signals
		}
		os.Exit(cli.Interrupted)
	}()
	return context.WithValue(ctx, hurryKey{}, h), func() { signal.Stop(signals); cancel() }
}

// hurry is a second signal.
type hurry struct {
	heard atomic.Bool
	asked chan struct{}
}

type hurryKey struct{}

// inHurry returns a channel that the second signal closes. A command that asks
// for it must then end soon.
func inHurry(ctx context.Context) <-chan struct{} {
	h, ok := ctx.Value(hurryKey{}).(*hurry)
	if !ok {
		return nil
	}
	h.heard.Store(true)
	return h.asked
}

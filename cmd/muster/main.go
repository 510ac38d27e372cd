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
	"syscall"
)

// version is stamped by the linker: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit status. The first
// SIGINT or SIGTERM ends the command in good order. From then on they have
// their usual effect again, so that a second one ends the process at once.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

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

// Command musterbench measures what needs a test rig or a peer beside Muster:
// managers that are killed, other products. What measures Muster alone is
// "muster bench". Each verb runs on queues and clusters of its own.
//
// Exit status: 0 done, 1 failed (the reason is on stderr), 2 used wrongly.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run carries out one command line and returns the exit status. The first
// SIGINT or SIGTERM ends a measurement, which prints what it has so far.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root, began := newRootCmd()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return cli.Done
	}
	return cli.Report(stderr, cmd, err, *began)
}

// newRootCmd returns the command line, and a flag that is set as soon as a
// command has begun.
func newRootCmd() (root *cobra.Command, began *bool) {
	root = &cobra.Command{
		Use:   "musterbench",
		Short: "Measure Muster on a test rig and beside its peers",
		Long: `Measures what needs a test rig or a peer: managers that are killed, other products. Each verb runs on
queues and clusters of its own. "muster bench" measures Muster alone.`,
		Example:       "  musterbench failover --kills 30",
		Args:          cli.NoSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newFailoverCmd(), newPeersCmd(), newStartCmd(), newFillCmd(), newPageCmd(), newMediaCmd(), newRoomsCmd(), newServeNATSCmd(), newServeRoomsCmd())
	cli.PlainFlags(root)
	began = new(bool)
	cli.MarkBegun(root, began)
	return root, began
}

// findMuster returns the muster to run: the named one, else the one beside this
// program, else the one on PATH.
func findMuster(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	if self, err := os.Executable(); err == nil {
		if beside := filepath.Join(filepath.Dir(self), "muster"); isFile(beside) {
			return beside, nil
		}
	}
	path, err := exec.LookPath("muster")
	if err != nil {
		return "", fmt.Errorf("no muster beside this program and none on PATH: build it (make build), or name it with --muster")
	}
	return path, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// programs are the muster program to measure, and this one as a server of NATS.
func programs(muster string) (program string, nats []string, err error) {
	if program, err = findMuster(muster); err != nil {
		return "", nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("find this program: %w", err)
	}
	return program, []string{self, serveNATS}, nil
}

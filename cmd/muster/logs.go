package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/pause"
)

// logPoll is how often a log that is followed is read.
const logPoll = 300 * time.Millisecond

func newLogsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs NODE",
		Short: "Print what a node has printed",
		Long: `Print what a node of an agent has printed on stdout and stderr, from wherever the agent runs. Agents keep it for
a while after the node has ended. 'muster nodes' and 'muster run' have the names of nodes.` + "\n" + precedence,
		Example: "  muster logs video-1f0c62b2d8e6a3b7c915@host_3 -f",
		Args:    cli.Takes("NODE"),
	}
	settings, timeout := settingsOf(cmd), timeoutFlag(cmd)
	settings.reach(clusterURL)
	follow := cmd.Flags().BoolP("follow", "f", false, "go on until the node has ended")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		worker, err := workerOf(args[0])
		if err != nil {
			return err
		}
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		conn, err := open(ctx, cfg, "muster logs", nil)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		c := client.New(conn, client.Options{Cluster: cfg.Manager.Name, Timeout: *timeout})
		err = printLog(ctx, c, worker, args[0], *follow, cmd.OutOrStdout())
		if errors.Is(err, bus.ErrNoServer) {
			ctx, cancel := context.WithTimeout(ctx, *timeout)
			defer cancel()
			return fmt.Errorf("%w; the log of an agent that is gone is in its --dir", absentWorker(ctx, c, worker))
		}
		return err
	}
	return cmd
}

// workerOf is the agent whose node it is.
func workerOf(node string) (string, error) {
	i := strings.LastIndexByte(node, '_')
	if i <= 0 {
		return "", cli.Usagef("%q is no node: nodes are called <agent>_<number>", node)
	}
	return node[:i], nil
}

func printLog(ctx context.Context, c *client.Client, worker, node string, follow bool, w io.Writer) error {
	var at int64
	for {
		part, err := c.ReadLog(ctx, worker, node, at)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return reasonOf(err)
		}
		if _, err := io.WriteString(w, part.Data); err != nil {
			return err
		}
		waiting := part.Next == at || len(part.Data) == 0
		at = part.Next
		switch {
		case !waiting:
			continue
		case part.Ended || !follow:
			return nil
		}
		if !pause.For(ctx, logPoll) {
			return nil
		}
	}
}

// reasonOf is a refusal in the words of who refused.
func reasonOf(err error) error {
	var refused *bus.RemoteError
	if errors.As(err, &refused) {
		return refused
	}
	return err
}

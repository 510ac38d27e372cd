package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

func newNodesCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "nodes [WORKER]",
		Short: "List the nodes of the agents",
		Long: `List the nodes of an agent, or of all of them: the processes that do the tasks. Workers that are not agents have
none.` + "\n" + precedence,
		Example: "  muster nodes\n  muster nodes -o json",
		Args:    cli.Takes("[WORKER]"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return show(a, func(ctx context.Context, c *client.Client) ([]muster.Node, error) {
			return nodesOf(ctx, c, optional(args))
		}, printNodes)
	}
	return cmd
}

// nodesOf asks one worker, or all that are agents. Of all, one that does not
// answer is left out.
func nodesOf(ctx context.Context, c *client.Client, worker string) ([]muster.Node, error) {
	if worker != "" {
		nodes, err := c.Nodes(ctx, worker)
		if errors.Is(err, client.ErrUnsupported) {
			return nil, fmt.Errorf("%s is no agent, and has no nodes", worker)
		}
		if errors.Is(err, bus.ErrNoServer) {
			return nil, absentWorker(ctx, c, worker)
		}
		return nodes, err
	}
	workers, err := c.WorkerIDs(ctx, "")
	if err != nil {
		return nil, err
	}
	all := []muster.Node{}
	for _, id := range workers {
		if nodes, err := c.Nodes(ctx, id); err == nil {
			all = append(all, nodes...)
		}
	}
	return all, nil
}

// absentWorker says why a worker does not answer, from what the manager knows.
func absentWorker(ctx context.Context, c *client.Client, worker string) error {
	ids, err := c.WorkerIDs(ctx, "")
	switch {
	case err != nil:
		return err
	case slices.Contains(ids, worker):
		return fmt.Errorf("worker %s does not answer, and is not given up yet: look at its log", worker)
	}
	var near []string
	for _, id := range ids {
		if strings.HasPrefix(id, worker) || strings.HasPrefix(worker, id) || strings.Contains(id, worker) {
			near = append(near, id)
		}
	}
	if len(near) == 0 {
		near = ids
	}
	if len(near) == 0 {
		return fmt.Errorf("no worker %s is known: there are none", worker)
	}
	more := ""
	if len(near) > 5 {
		near, more = near[:5], ", ..."
	}
	return fmt.Errorf("no worker %s is known; there are %s%s ('muster workers' lists them)", worker, strings.Join(near, ", "), more)
}

func printNodes(p *cli.Page, nodes []muster.Node) {
	t := cli.Table{Empty: "no nodes", Heading: []string{"NODE", "PID", "STATE", "AGE", "TASKS", "STATUS"}}
	for _, n := range nodes {
		t.Add(n.ID, fmt.Sprint(n.PID), string(n.State), ago(time.Duration(n.AgeMillis)*time.Millisecond), strings.Join(n.Tasks, " "), n.Status)
	}
	p.Table(t)
}

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

func newStatusCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the managers and the purposes stand",
		Long: `Show the managers of the cluster, which of them leads, how far the others are behind and who counts in a
majority, and for each purpose its workers and tasks.

With -o json it is one object: {"cluster", "state", "version", "stale_ms", "evictions": {"state", "silent"}, "managers":
[{"id", "addr", "pid", "version", "role", "term", "index", "lag", "voter", "active"}], "purposes": [...]}; a role is leader, follower or
candidate. Managers without a quorum answer, like 'muster workers' and the others that only look, from their last
state: stale_ms is there then, and the state is no-quorum. The state of evictions is normal, paced, or why silent
workers are not given up: too-many, no-quorum, no-queue.` + "\n" + precedence,
		Example: "  muster status\n  muster status -o json",
		Args:    cli.Takes(),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		return show(a, func(ctx context.Context, c *client.Client) (client.Status, error) { return c.Status(ctx) }, printStatus)
	}
	return cmd
}

func printStatus(p *cli.Page, s client.Status) {
	p.Linef("%s is %s\n", p.Bold("Cluster "+s.Cluster), s.State)
	if e := evictionsLine(s.Evictions); e != "" {
		p.Linef("%s\n", e)
	}
	printManagers(p, s.Managers)
	if len(s.Purposes) == 0 {
		return
	}
	p.Linef("")
	purposes := cli.Table{Heading: []string{"PURPOSE", "STRATEGY", "WORKERS", "READY", "FULL", "RUNNING", "RESERVED"}}
	for _, one := range s.Purposes {
		purposes.Add(one.Purpose, string(one.Strategy), fmt.Sprint(one.Workers), fmt.Sprint(one.Ready), fmt.Sprint(one.Full),
			fmt.Sprint(one.Running), fmt.Sprint(one.Reserved))
	}
	p.Table(purposes)
}

func printManagers(p *cli.Page, managers []muster.Member) {
	t := cli.Table{Heading: []string{"MANAGER", "PID", "VERSION", "ROLE", "TERM", "INDEX", "LAG", "VOTES", "HEARD"}}
	for _, m := range managers {
		t.Add(named(m), fmt.Sprint(m.PID), m.Version, m.Role, fmt.Sprint(m.Term), fmt.Sprint(m.Index), fmt.Sprint(m.Lag),
			yesNo(m.Voter), yesNo(m.Active))
	}
	p.Table(t)
}

// evictionsLine says what is not as ever, "" where all is.
func evictionsLine(e client.Evictions) string {
	switch e.State {
	case "too-many":
		return fmt.Sprintf("%d workers are silent, too many at once: none of them is given up.", e.Silent)
	case "paced":
		return fmt.Sprintf("Workers are checked again: silent ones are given up a few at a time (%d wait).", e.Silent)
	case "no-quorum":
		return "No worker is given up, and nothing is placed, until a majority of the managers is back."
	case "no-queue":
		return "No worker is given up while the message queue is away."
	}
	return ""
}

// named is the address of a manager, or its id where it is alone.
func named(m muster.Member) string {
	if m.Addr != "" {
		return m.Addr
	}
	return m.ID
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

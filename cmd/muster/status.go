package main

import (
	"context"
	"fmt"
	"io"

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
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.ask(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			s, err := c.Status(ctx)
			if err != nil {
				return err
			}
			if *a.output == cli.JSON {
				return cli.PrintJSON(cmd.OutOrStdout(), s)
			}
			return printStatus(cmd.OutOrStdout(), s)
		})
	}
	return cmd
}

func printStatus(w io.Writer, s client.Status) error {
	if _, err := fmt.Fprintf(w, "%s is %s\n\n", cli.Bold(w, "Cluster "+s.Cluster), s.State); err != nil {
		return err
	}
	if e := evictionsLine(s.Evictions); e != "" {
		if _, err := fmt.Fprintf(w, "%s\n\n", e); err != nil {
			return err
		}
	}
	if err := managerTable(s.Managers).Print(w); err != nil || len(s.Purposes) == 0 {
		return err
	}
	purposes := cli.Table{Heading: []string{"PURPOSE", "STRATEGY", "WORKERS", "READY", "FULL", "RUNNING", "RESERVED"}}
	for _, p := range s.Purposes {
		purposes.Add(p.Purpose, string(p.Strategy), fmt.Sprint(p.Workers), fmt.Sprint(p.Ready), fmt.Sprint(p.Full),
			fmt.Sprint(p.Running), fmt.Sprint(p.Reserved))
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return purposes.Print(w)
}

// managerTable is how the managers stand.
func managerTable(managers []muster.Member) *cli.Table {
	t := &cli.Table{Heading: []string{"MANAGER", "PID", "VERSION", "ROLE", "TERM", "INDEX", "LAG", "VOTES", "HEARD"}}
	for _, m := range managers {
		t.Add(named(m), fmt.Sprint(m.PID), m.Version, m.Role, fmt.Sprint(m.Term), fmt.Sprint(m.Index), fmt.Sprint(m.Lag),
			yesNo(m.Voter), yesNo(m.Active))
	}
	return t
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

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

func newAuditCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what operators changed: who, from where, what",
		Long: `List the last 1,000 writes by operators, the oldest first: drains, cordons, strategies, managers that were added or
removed. Who and from where are what the caller said of itself: MUSTER_OPERATOR, or the user and the host.

With -o json each is an object on a line of its own, for export: --after continues where an earlier one ended.
` + precedence,
		Example: "  muster audit\n  muster audit -o json --after 120 >> audit.jsonl",
		Args:    cli.Takes(),
	}
	a := askingFlags(cmd)
	after := cmd.Flags().Uint64("after", 0, "list only entries after the one with this `number`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.ask(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			entries, err := allAudit(ctx, c, *after)
			if err != nil {
				return err
			}
			if *a.output == cli.JSON {
				return printLines(cmd.OutOrStdout(), entries)
			}
			return printAudit(cmd.OutOrStdout(), entries)
		})
	}
	return cmd
}

func allAudit(ctx context.Context, c *client.Client, after uint64) ([]muster.AuditEntry, error) {
	var all []muster.AuditEntry
	for {
		part, err := c.Audit(ctx, after, 0)
		if err != nil || len(part) == 0 {
			return all, err
		}
		all = append(all, part...)
		after = part[len(part)-1].Number
	}
}

// printLines prints each value as JSON on a line of its own.
func printLines[T any](w io.Writer, values []T) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, v := range values {
		if err := encoder.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

func printAudit(w io.Writer, entries []muster.AuditEntry) error {
	t := cli.Table{Empty: "no entries", Heading: []string{"NUMBER", "AT", "BY", "ACTION", "TARGET", "BEFORE", "AFTER"}}
	for _, e := range entries {
		t.Add(fmt.Sprint(e.Number), e.At.Time().Format("2006-01-02 15:04:05"), by(e.By), e.Action, e.Target, e.Before, e.After)
	}
	return t.Print(w)
}

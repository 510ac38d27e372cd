package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

func newWhyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why PURPOSE TASK",
		Short: "Explain where a task was placed, or why it was not",
		Long: `Explain the last decision on a task: how many workers of the purpose each rule excluded, which worker was
taken of those that were left, and the best three others. The manager remembers its last 65,536 decisions.

SCORE is what the strategy compared: the load with the debit; for weight-robin the credit; for round-robin
and last-used the turn, 0 being the worker whose turn it is.` + "\n" + precedence,
		Example: "  muster why webrtc room-1\n  muster why video mix-1 -o json",
		Args:    takes("PURPOSE", "TASK"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.ask(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			why, err := c.Why(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			if *a.output == formatJSON {
				return printJSON(cmd.OutOrStdout(), why)
			}
			return printWhy(cmd.OutOrStdout(), why, time.Now())
		})
	}
	return cmd
}

func printWhy(w io.Writer, e muster.Explanation, now time.Time) error {
	when := ago(now.Sub(e.At.Time())) + " ago"
	verdict := fmt.Sprintf("%s %s was not placed, %s: %s", e.Purpose, e.Task, when, e.Reason)
	if e.Chosen != nil {
		verdict = fmt.Sprintf("%s %s was placed on %s, %s.", e.Purpose, e.Task, e.Chosen.Worker, when)
	}
	if _, err := fmt.Fprintf(w, "%s\n\n", verdict); err != nil {
		return err
	}
	if err := printFunnel(w, e); err != nil || e.Chosen == nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\nOf these, %s took the first:\n\n", e.Strategy); err != nil {
		return err
	}
	return printCandidates(w, e)
}

// printFunnel tells how many workers there were, and what became of them.
func printFunnel(w io.Writer, e muster.Explanation) error {
	t := table{heading: []string{"WORKERS", fmt.Sprint(e.Workers)}}
	for rule, n := range e.Excluded {
		if n > 0 {
			t.add("  "+ruleWords[rule], fmt.Sprintf("-%d", n))
		}
	}
	t.add("candidates", fmt.Sprint(e.Candidates))
	return t.print(w)
}

// ruleWords say what a rule means to the workers that it excluded.
var ruleWords = [muster.NumRules]string{
	muster.RuleISP:      "isp: serve another provider",
	muster.RuleCodec:    "codec: lack a wanted codec or algorithm",
	muster.RuleLabel:    "label: lack a wanted label",
	muster.RuleNotReady: "not_ready: said that they are not ready",
	muster.RuleFull:     "full: at the limit of their load, or told none yet",
	muster.RuleSlots:    "slots: hold as many tasks as they may",
	muster.RuleRegion:   "region: outside the wanted region",
}

func printCandidates(w io.Writer, e muster.Explanation) error {
	t := table{heading: []string{"WORKER", "LOAD", "DEBIT", "SCORE"}}
	for _, c := range append([]muster.Candidate{*e.Chosen}, e.Others...) {
		t.add(c.Worker, percent(c.Load), percent(c.Debit), fmt.Sprintf("%.4g", c.Score))
	}
	return t.print(w)
}

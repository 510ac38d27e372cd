package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
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
		Args:    cli.Takes("PURPOSE", "TASK"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return show(a, func(ctx context.Context, c *client.Client) (muster.Explanation, error) {
			return c.Why(ctx, args[0], args[1])
		}, printWhy)
	}
	cmd.AddCommand(newWhyParticipantCmd())
	return cmd
}

func printWhy(p *cli.Page, e muster.Explanation) {
	p.Linef("%s", verdict(e))
	if len(e.Ignored) > 0 {
		p.Linef("ignored, since unknown, in its preference: %s", strings.Join(e.Ignored, ", "))
	}
	if e.Candidates < e.Workers {
		printExcluded(p, e)
	}
	if e.Chosen != nil {
		p.Linef("\n%d of %d workers could take it, and %s took the first of them:\n", e.Candidates, e.Workers, e.Strategy)
		printCandidates(p, e)
	}
}

func verdict(e muster.Explanation) string {
	when := ago(time.Since(e.At.Time())) + " ago"
	if e.Chosen == nil {
		return fmt.Sprintf("%s %s was not placed, %s: %s", e.Purpose, e.Task, when, e.Reason)
	}
	text := fmt.Sprintf("%s %s was placed on %s, %s", e.Purpose, e.Task, e.Chosen.Worker, when)
	if e.Gone != nil {
		text += fmt.Sprintf("; that worker left the cluster %s ago (%s), and the task with it", ago(time.Since(e.Gone.At.Time())), e.Gone.Reason)
	}
	return text
}

// ruleWords say what a rule means to the workers that it excluded.
var ruleWords = [muster.NumRules]string{
	muster.RuleISP:      "serve other providers",
	muster.RuleCodec:    "lack a wanted codec or algorithm",
	muster.RuleLabel:    "lack a wanted label",
	muster.RuleDraining: "are drained (see `muster drains`)",
	muster.RuleCordoned: "are cordoned by an operator",
	muster.RuleNotReady: "said that they are not ready, or reported no load yet",
	muster.RuleFull:     "are at the limit of their load",
	muster.RuleSlots:    "hold as many tasks as they may",
	muster.RuleRegion:   "are outside the wanted region",
}

func printExcluded(p *cli.Page, e muster.Explanation) {
	p.Linef("")
	t := cli.Table{Heading: []string{"RULE", "EXCLUDED", "WHICH"}}
	for rule, n := range e.Excluded {
		if n > 0 {
			t.Add(muster.Rule(rule).String(), fmt.Sprintf("%d of %d", n, e.Workers), ruleWords[rule])
		}
	}
	p.Table(t)
}

func printCandidates(p *cli.Page, e muster.Explanation) {
	t := cli.Table{Heading: []string{"WORKER", "LOAD", "DEBIT", "SCORE"}}
	for _, c := range append([]muster.Candidate{*e.Chosen}, e.Others...) {
		t.Add(c.Worker, percent(c.Load), percent(c.Debit), fmt.Sprintf("%.4g", c.Score))
	}
	p.Table(t)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/pause"
)

const drainLong = `Give workers no new tasks until the tasks that they have are done. The drain is part of the cluster's state: it
goes on when the leader changes and when managers start again with --data. 'muster undrain' calls it off.

After --deadline (default: none), --policy says what becomes of the tasks that are left:
  wait       nothing: the drain goes on until they end (default)
  hand-back  their callers get a notice; scheduling such a task again gives it another worker
  end        agents end them; the tasks of workers that are no agents are handed back

A drain that would leave a purpose without a worker is refused, with what would be lost, unless there is --force.
With --sticky, workers that join later and match --purpose, --region and --label are drained, too.

--follow shows how many tasks are left and about how long they take, and ends with status 0 when none is left.
Ctrl-C ends the command only, not the drain: 'muster drains NUMBER --follow' follows it again.
` + precedence

func newDrainCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain [WORKER]",
		Short: "Give workers no new tasks until they are empty",
		Long:  drainLong,
		Example: `  muster drain video-1@host --follow
  muster drain --label rack=7 --deadline 30m --policy hand-back
  muster drain --purpose recording --force`,
		Args: cli.Takes("[WORKER]"),
	}
	a, which := askingFlags(cmd), selectorFlags(cmd)
	f := cmd.Flags()
	deadline := f.Duration("deadline", 0, "after this `time`, such as 30m, --policy applies (default: never)")
	policy := f.String("policy", string(muster.DrainWait), "`what` becomes of tasks that are left at the deadline: wait, hand-back or end")
	sticky := f.Bool("sticky", false, "drain workers, too, that join later and match")
	force := f.Bool("force", false, "drain also the last workers of a purpose")
	follow := f.Bool("follow", false, "show progress until no task is left")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sel, err := which.selector(cmd, args)
		if err != nil {
			return err
		}
		parsed, err := muster.ParseDrainPolicy(*policy)
		switch {
		case err != nil:
			return cli.Usagef("--policy: %v", err)
		case *deadline < 0 || deadline.Milliseconds() > muster.MaxDeadline:
			return cli.Usagef("--deadline must be 0 (none) to 720h, but is %v", *deadline)
		case *deadline == 0 && parsed != muster.DrainWait:
			return cli.Usagef("--policy %s needs a --deadline", parsed)
		}
		order := muster.DrainOrder{Selector: sel, Sticky: *sticky, DeadlineMillis: deadline.Milliseconds(), Policy: parsed, Force: *force}
		return a.attend(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			d, err := c.Drain(ctx, order)
			if err != nil {
				return a.lastWorkers(err)
			}
			return a.showDrain(ctx, c, d, *follow)
		})
	}
	return cmd
}

// lastWorkers says what a refused order would have taken, a line for each purpose.
func (a *asking) lastWorkers(err error) error {
	var last *client.LastWorkersError
	if !errors.As(err, &last) {
		return err
	}
	if *a.output == cli.JSON {
		out := struct {
			Error  string        `json:"error"`
			Code   muster.Code   `json:"code"`
			Losses []muster.Loss `json:"losses"`
		}{last.Error(), muster.CodeLastWorkers, last.Losses}
		if err := cli.PrintJSON(a.cmd.OutOrStdout(), out); err != nil {
			return err
		}
	}
	r := &cli.Refusal{Err: errors.New("a purpose would have no worker left: use --force to do it all the same")}
	for _, loss := range last.Losses {
		r.Details = append(r.Details, loss.String())
	}
	return r
}

// showDrain prints a drain, or follows it until it is empty.
func (a *asking) showDrain(ctx context.Context, c *client.Client, d muster.Drain, follow bool) error {
	if follow {
		var err error
		if d, err = followDrain(ctx, c, d, newDrainShow(a.cmd.ErrOrStderr())); err != nil {
			return err
		}
	}
	return printAs(*a.output, a.cmd.OutOrStdout(), d, func(p *cli.Page, d muster.Drain) { p.Linef("%s", drainLine(d)) })
}

// drainLine says how far a drain is.
func drainLine(d muster.Drain) string {
	text := fmt.Sprintf("drain %d of %s (%s): ", d.ID, selected(d), count(d.Workers, "worker"))
	switch d.State {
	case muster.DrainCalledOff:
		text += fmt.Sprintf("called off with %s left", count(d.Left, "task"))
	case muster.DrainOver:
		text += "over, its workers have left"
	case muster.DrainEmpty:
		text += "empty"
	default:
		text += leftOf(d)
	}
	if d.Lost > 0 {
		text += fmt.Sprintf(" (%s lost with workers that left)", count(d.Lost, "task"))
	}
	return text
}

// selected is what a drain is of.
func selected(d muster.Drain) string {
	if d.Sticky {
		return d.Selector.String() + ", sticky"
	}
	return d.Selector.String()
}

// leftOf is such as "12 of 40 tasks left, about 3m0s".
func leftOf(d muster.Drain) string {
	text := fmt.Sprintf("%d of %s left", d.Left, count(max(d.Total, d.Left), "task"))
	if d.EstimateMillis > 0 {
		text += ", about " + ago(time.Duration(d.EstimateMillis)*time.Millisecond)
	}
	if d.Overdue {
		text += ", past its deadline (" + string(d.Policy) + ")"
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// followEvery is the pause between two looks at a drain.
const followEvery = 300 * time.Millisecond

// followDrain shows a drain until it is empty, and returns it. While no manager
// answers it goes on asking.
func followDrain(ctx context.Context, c *client.Client, d muster.Drain, show *drainShow) (muster.Drain, error) {
	defer show.close()
	for {
		show.update(d)
		switch d.State {
		case muster.DrainEmpty, muster.DrainOver:
			return d, nil
		case muster.DrainCalledOff:
			return d, errors.New(drainLine(d))
		}
		if !pause.For(ctx, followEvery) {
			return d, ctx.Err()
		}
		next, err := c.DrainByID(ctx, d.ID)
		switch {
		case err == nil:
			d = next
		case errors.Is(err, client.ErrNoDrain):
			return d, err
		case ctx.Err() == nil:
			show.lost(err)
		}
	}
}

// drainShow shows how far a drain is: a bar on a terminal, elsewhere a line whenever
// that changed.
type drainShow struct {
	w       io.Writer
	bar     *cli.Bar
	last    string
	silence bool
}

func newDrainShow(w io.Writer) *drainShow { return &drainShow{w: w, bar: cli.NewBar(w)} }

func (s *drainShow) update(d muster.Drain) {
	s.silence = false
	if s.bar.IsShown() {
		s.bar.Describe(leftOf(d))
		if total := max(d.Total, d.Left); total > 0 {
			s.bar.Set(1 - float64(d.Left)/float64(total))
		}
		return
	}
	if line := fmt.Sprint(d.Left, d.State, d.Overdue); line != s.last {
		s.last = line
		_, _ = fmt.Fprintln(s.w, drainLine(d))
	}
}

// lost says once that no manager answers.
func (s *drainShow) lost(err error) {
	if !s.silence {
		s.silence = true
		_, _ = fmt.Fprintf(s.w, "no manager answers, asking again: %v\n", err)
	}
}

func (s *drainShow) close() { s.bar.Close() }

func newDrainsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drains [NUMBER]",
		Short: "List the drains, or follow one",
		Long: `List the drains that are in force, and the last that ended; or show one with its workers. LEFT is how many of
the tasks are left that were there when the drain began, ABOUT an estimate of how long they take: tasks of the
purpose lasted that long before.` + "\n" + precedence,
		Example: "  muster drains\n  muster drains 3\n  muster drains 3 --follow",
		Args:    cli.Takes("[NUMBER]"),
	}
	a := askingFlags(cmd)
	follow := cmd.Flags().Bool("follow", false, "show progress until no task is left")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			if *follow {
				return cli.Usagef("--follow needs the NUMBER of a drain")
			}
			return show(a, func(ctx context.Context, c *client.Client) ([]muster.Drain, error) { return c.Drains(ctx) }, printDrains)
		}
		id, err := drainNumber(args[0])
		if err != nil {
			return err
		}
		return a.attend(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			d, err := c.DrainByID(ctx, id)
			if err != nil {
				return err
			}
			if *follow {
				return a.showDrain(ctx, c, d, true)
			}
			return printAs(*a.output, cmd.OutOrStdout(), d, printDrain)
		})
	}
	return cmd
}

func printDrains(p *cli.Page, drains []muster.Drain) {
	t := cli.Table{Empty: "no drains", Heading: []string{"DRAIN", "WORKERS", "OF", "STATE", "LEFT", "ABOUT", "SINCE", "DEADLINE", "BY"}}
	for _, d := range drains {
		t.Add(fmt.Sprint(d.ID), fmt.Sprint(d.Workers), selected(d), string(d.State),
			fmt.Sprintf("%d of %d", d.Left, max(d.Total, d.Left)), about(d), ago(time.Since(d.Since.Time()))+" ago", deadlineOf(d), by(d.By))
	}
	p.Table(t)
}

func about(d muster.Drain) string {
	switch {
	case !d.State.IsActive() || d.Left == 0:
		return "-"
	case d.EstimateMillis < 0:
		return "unknown"
	}
	return ago(time.Duration(d.EstimateMillis) * time.Millisecond)
}

func deadlineOf(d muster.Drain) string {
	switch {
	case d.Deadline == 0:
		return "none"
	case !d.State.IsActive():
		return string(d.Policy)
	case d.Overdue:
		return "passed, " + string(d.Policy)
	}
	return "in " + ago(time.Until(d.Deadline.Time())) + ", " + string(d.Policy)
}

func by(o muster.Operator) string {
	return strings.Trim(o.Name+"@"+o.From, "@")
}

func printDrain(p *cli.Page, d muster.Drain) {
	p.Linef("%s\n", drainLine(d))
	if len(d.Members) == 0 {
		return
	}
	t := cli.Table{Heading: []string{"WORKER", "PURPOSE", "RUNNING", "RESERVED", "OF", "IN THE CLUSTER"}}
	for _, m := range d.Members {
		there := "yes"
		if m.Gone != 0 {
			there = "left " + ago(time.Since(m.Gone.Time())) + " ago"
		}
		t.Add(m.ID, m.Purpose, fmt.Sprint(m.Running), fmt.Sprint(m.Reserved), fmt.Sprint(m.Total), there)
	}
	p.Table(t)
}

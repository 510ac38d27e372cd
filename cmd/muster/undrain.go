package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

func drainNumber(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, cli.Usagef("the NUMBER of a drain must be a whole number from 1, not %q: 'muster drains' lists them", text)
	}
	return id, nil
}

func newUndrainCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "undrain [WORKER]",
		Short: "Call a drain off: its workers take tasks again",
		Long: `Call drains off: the one with that number, or those that were ordered with the same WORKER or flags. Workers
that match, and are in another drain, leave it; the others of it stay.` + "\n" + precedence,
		Example: "  muster undrain video-1@host\n  muster undrain --drain 3\n  muster undrain --label rack=7",
		Args:    cli.Takes("[WORKER]"),
	}
	a, which := askingFlags(cmd), selectorFlags(cmd)
	number := cmd.Flags().String("drain", "", "the drain with this `number`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		order := client.Undrain{}
		sel, err := which.selector(cmd, args)
		switch {
		case *number != "" && err == nil:
			return cli.Usagef("--drain names all of it: leave the WORKER and the other flags out")
		case *number != "":
			order.Drain, err = drainNumber(*number)
		default:
			order.Selector = sel
		}
		if err != nil {
			return err
		}
		return a.ask(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			d, err := c.Undrain(ctx, order)
			if err != nil {
				return err
			}
			return a.showDrain(ctx, c, d, false)
		})
	}
	return cmd
}

func newCordonCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cordon [WORKER]",
		Short: "Give workers no new tasks",
		Long: `Give workers no new tasks, until 'muster uncordon'. Unlike a drain it is not followed and has no deadline. One that
would leave a purpose without a worker is refused, unless there is --force.` + "\n" + precedence,
		Example: "  muster cordon video-1@host\n  muster cordon --purpose video --region eu",
		Args:    cli.Takes("[WORKER]"),
	}
	force := cmd.Flags().Bool("force", false, "cordon also the last workers of a purpose")
	return cordonCmd(cmd, force, (*client.Client).Cordon, "takes no new tasks", "take no new tasks")
}

func newUncordonCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "uncordon [WORKER]",
		Short:   "Let workers that are cordoned have tasks again",
		Long:    "Let workers that are cordoned have tasks again.\n" + precedence,
		Example: "  muster uncordon video-1@host\n  muster uncordon --purpose video --region eu",
		Args:    cli.Takes("[WORKER]"),
	}
	return cordonCmd(cmd, new(bool), (*client.Client).Uncordon, "takes tasks again", "take tasks again")
}

// cordonCmd completes one of the two commands.
func cordonCmd(
	cmd *cobra.Command, force *bool, do func(*client.Client, context.Context, client.Cordon) ([]string, error), one, many string,
) *cobra.Command {
	a, which := askingFlags(cmd), selectorFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sel, err := which.selector(cmd, args)
		if err != nil {
			return err
		}
		return show(a, func(ctx context.Context, c *client.Client) (map[string][]string, error) {
			workers, err := do(c, ctx, client.Cordon{Selector: sel, Force: *force})
			return map[string][]string{"workers": workers}, a.lastWorkers(err)
		}, func(p *cli.Page, got map[string][]string) { p.Linef("%s", cordonLine(got["workers"], one, many)) })
	}
	return cmd
}

func cordonLine(workers []string, one, many string) string {
	switch len(workers) {
	case 0:
		return "no worker was cordoned"
	case 1:
		return workers[0] + " " + one
	}
	return fmt.Sprintf("%d workers %s: %s", len(workers), many, strings.Join(workers, ", "))
}

const strategyLong = `Show the strategy of each purpose; with a NAME, change that of one while the managers run. It goes before the
configuration, whichever manager leads, until it is changed again or --reset leaves it to the configuration.

With --debit, the load that a placement adds to its worker before the worker reports is changed for all purposes:
learned (what placements really added; --debit-floor is the least), fixed (--debit-fixed each) or off.
` + precedence

func newStrategyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "strategy [PURPOSE [NAME]]",
		Short: "Show or change how workers are picked, at run time",
		Long:  strategyLong,
		Example: `  muster strategy
  muster strategy video two-choices
  muster strategy video --reset
  muster strategy --debit fixed --debit-fixed 0.05`,
		Args: cli.Takes("[PURPOSE]", "[NAME]"),
	}
	a := askingFlags(cmd)
	f := cmd.Flags()
	reset := f.Bool("reset", false, "leave it to the managers' configuration again")
	debit := client.SetDebit{}
	f.StringVar(&debit.Mode, "debit", "", "where a placement's debit comes from, a `mode`: learned, fixed or off; \"reset\" leaves it to the configuration")
	f.Float64Var(&debit.Fixed, "debit-fixed", 0, "`load`, from 0 to 1, that each placement adds with --debit fixed")
	f.Float64Var(&debit.Floor, "debit-floor", 0, "least `load`, from 0 to 1, that a placement adds with --debit learned")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		switch {
		case debit.Mode != "" && (len(args) > 0 || *reset):
			return cli.Usagef("--debit is for all purposes: leave PURPOSE, NAME and --reset out (--debit reset)")
		case *reset && len(args) != 1:
			return cli.Usagef("--reset takes a PURPOSE and no NAME")
		case len(args) == 2:
			if _, err := muster.ParseStrategy(args[1]); err != nil {
				return cli.Usagef("%v", err)
			}
		}
		return show(a, func(ctx context.Context, c *client.Client) ([]pickedBy, error) {
			var err error
			switch {
			case debit.Mode != "":
				if debit.Mode == "reset" {
					debit.Mode = ""
				}
				err = c.SetDebit(ctx, debit)
			case len(args) == 2 || *reset:
				order := client.SetStrategy{Purpose: args[0]}
				if !*reset {
					order.Strategy = muster.Strategy(args[1])
				}
				err = c.SetStrategy(ctx, order)
			}
			if err != nil {
				return nil, err
			}
			return strategies(ctx, c, optional(args))
		}, printStrategies)
	}
	return cmd
}

// pickedBy is a purpose and its strategy.
type pickedBy struct {
	Purpose  string          `json:"purpose"`
	Strategy muster.Strategy `json:"strategy"`
	Debit    float64         `json:"debit"`
}

// strategies lists the strategies of all purposes, or of one.
func strategies(ctx context.Context, c *client.Client, purpose string) ([]pickedBy, error) {
	s, err := c.Status(ctx)
	list := []pickedBy{}
	for _, p := range s.Purposes {
		if purpose == "" || purpose == p.Purpose {
			list = append(list, pickedBy{p.Purpose, p.Strategy, p.Debit})
		}
	}
	return list, err
}

func printStrategies(p *cli.Page, list []pickedBy) {
	t := cli.Table{Heading: []string{"PURPOSE", "STRATEGY", "DEBIT"}}
	for _, s := range list {
		t.Add(s.Purpose, string(s.Strategy), percent(s.Debit))
	}
	p.Table(t)
}

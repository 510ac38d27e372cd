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
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/pause"
)

// changeTimeout is how long a change of the managers is waited for where
// --timeout does not say: a newcomer has to be fed first.
const changeTimeout = 10 * time.Second

// askAfter is between two questions how far a change is.
const askAfter = 100 * time.Millisecond

const managersLong = `List the managers of the cluster; with add and remove, change who they are while they run.

A manager with its own --raft address among the --peers is one of those that form the cluster. One whose
address is not among them never forms one: it joins. To replace B by D, where A, B and C run:

  1. start D:      muster manager --raft D --peers A,B,C
  2. let it in:    muster managers add D          it is fed, then votes
  3. take B out:   muster managers remove B       then end its process
  4. write the new list, A,C,D, as raft.peers of all three: it counts when they start again

A manager that died needs none of that: start it again at the same address. What it lost with its memory it
gets from the others, as a member of a new id, so that it never votes twice.`

func newManagersCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "managers",
		Short:   "List the managers of a cluster, add one, remove one",
		Long:    managersLong + "\n" + precedence,
		Example: "  muster managers\n  muster managers add 10.0.0.4:7400\n  muster managers remove 10.0.0.2:7400",
		Args:    cli.Takes(),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		return show(a, func(ctx context.Context, c *client.Client) ([]muster.Member, error) {
			s, err := c.Status(ctx)
			return s.Managers, err
		}, printManagers)
	}
	cmd.AddCommand(newManagersAddCmd(), newManagersRemoveCmd())
	return cmd
}

func newManagersAddCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "add ADDRESS", Short: "Let a manager join at its --raft address", Args: cli.Takes("ADDRESS"),
		Long: `Let a manager join the cluster at an address, and wait until it votes. Start it before or meanwhile, with its
address as --raft and those of the others as --peers. To ask again is harmless.` + "\n" + precedence,
		Example: "  muster managers add 10.0.0.4:7400",
	}
	a := askingFor(cmd, changeTimeout)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return show(a, func(ctx context.Context, c *client.Client) ([]muster.Member, error) {
			members, err := until(ctx, func() ([]muster.Member, error) { return c.AddManager(ctx, args[0]) },
				func(members []muster.Member) bool { return slices.ContainsFunc(members, votesAt(args[0])) })
			if err == nil && !slices.ContainsFunc(members, votesAt(args[0])) {
				err = notThere(args[0], members)
			}
			return members, err
		}, printManagers)
	}
	return cmd
}

func votesAt(addr string) func(muster.Member) bool {
	return func(m muster.Member) bool { return m.Addr == addr && m.Voter }
}

// notThere says how to start a manager that was added.
func notThere(addr string, members []muster.Member) error {
	return &cli.Refusal{
		Err: fmt.Errorf("%s is let in, but does not vote yet: is it running?", addr),
		Details: []string{
			fmt.Sprintf("start it:    muster manager --raft %s --peers %s (and the settings of the others)", addr, strings.Join(others(members, addr), ",")),
			"see it come: muster managers",
			"take it back: muster managers remove " + addr,
		},
	}
}

func newManagersRemoveCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove MANAGER", Aliases: []string{"rm"}, Short: "Take a manager out, by its address or id", Args: cli.Takes("MANAGER"),
		Long: `Take a manager out of the cluster, by its address or its id, and wait until it is. If it leads it hands over
first. End its process afterwards.

It is refused where those that stay and are heard would be no majority: with --force it is done all the same.` + "\n" + precedence,
		Example: "  muster managers remove 10.0.0.2:7400\n  muster managers rm 5f0c3c1b9d0e7a42",
	}
	a := askingFor(cmd, changeTimeout)
	force := cmd.Flags().Bool("force", false, "even if the others are then no majority, so that there is no leader until silent ones are back")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return show(a, func(ctx context.Context, c *client.Client) ([]muster.Member, error) {
			s, err := c.Status(ctx)
			if err != nil {
				return nil, err
			}
			addr, err := addressOf(args[0], s.Managers)
			if err != nil {
				return nil, err
			}
			gone := func(members []muster.Member) bool { return !slices.Contains(addresses(members), addr) }
			members, err := until(ctx, func() ([]muster.Member, error) { return c.RemoveManager(ctx, addr, *force) }, gone)
			if err == nil && !gone(members) {
				err = fmt.Errorf("%s is not out yet: a majority of the managers has to agree, see `muster managers`, and ask again", addr)
			}
			return members, err
		}, printManagers)
	}
	return cmd
}

// addressOf finds the manager that is meant. One that was let in and never came
// is no member: its address is taken as it is.
func addressOf(name string, members []muster.Member) (string, error) {
	for _, m := range members {
		if m.Addr != "" && (m.Addr == name || m.ID == name) {
			return m.Addr, nil
		}
	}
	if strings.Contains(name, ":") {
		return name, nil
	}
	return "", fmt.Errorf("no manager is called %q: there are %s", name, strings.Join(others(members, ""), ", "))
}

func addresses(members []muster.Member) []string {
	return wordsFrom(members, named)
}

// others are the addresses of those that are elsewhere.
func others(members []muster.Member, addr string) []string {
	return slices.DeleteFunc(addresses(members), func(a string) bool { return a == addr })
}

// until asks again until it is done, or ctx is about to end, and returns
// the last answer: what was refused is an error, what takes longer is not.
func until(ctx context.Context, change func() ([]muster.Member, error), done func([]muster.Member) bool) ([]muster.Member, error) {
	members, err := change()
	for err == nil && !done(members) && pause.For(ctx, askAfter) {
		next, again := change()
		if errors.Is(again, context.DeadlineExceeded) {
			break // the last answer says more; a call may be overdue shortly before ctx is
		}
		members, err = next, again
	}
	return members, err
}

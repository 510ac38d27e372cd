package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/peers"
)

const fillLong = `Places tasks that stay, with the SDK, and looks at the managers: their memory, and whether the leader
changed though nothing failed. Managers and the NATS server are processes of their own, new ones for each
fill. Needs Linux.

  took_ns            time of the fill
  elections          terms that began meanwhile: 0 is right
  leader_bytes       resident memory ÷ tasks at the end; leader_peak_bytes is the highest
  follower_bytes     the same of the largest follower`

func newFillCmd() *cobra.Command {
	var f cli.MeasureFlags
	o := peers.DefaultFillOptions()
	cmd := &cobra.Command{
		Use: "fill", Short: "Measure managers that hold a million tasks", Long: fillLong, Args: cli.Takes(),
		Example: "  musterbench fill --managers 1\n  musterbench fill --managers 3 --fills 10",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return cli.Usagef("%v", err)
			}
			var err error
			if o.Muster, o.NATS, err = programs(o.Muster); err != nil {
				return err
			}
			return cli.Measure(cmd, &f, fillColumns, false, func(*cli.Bar) (results []peers.FillResult, err error) {
				err = peers.Fill(cmd.Context(), o, func(r peers.FillResult) { results = append(results, r) })
				return results, err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Muster, "muster", "", "the `muster` program to run as manager; default: beside this program, then on PATH")
	flags.IntVar(&o.Managers, "managers", o.Managers, "managers")
	flags.IntVar(&o.Workers, "workers", o.Workers, "workers")
	flags.IntVar(&o.Tasks, "tasks", o.Tasks, "tasks in a fill")
	flags.IntVar(&o.Inflight, "inflight", o.Inflight, "calls outstanding at a time")
	flags.IntVar(&o.Fills, "fills", o.Fills, "fills, each with new managers")
	f.Add(cmd)
	return cmd
}

var fillColumns = []cli.Column[peers.FillResult]{
	cli.Col("fill", func(r peers.FillResult) string { return fmt.Sprint(r.Fill) }),
	cli.Col("managers", func(r peers.FillResult) string { return fmt.Sprint(r.Managed) }),
	cli.Col("took", func(r peers.FillResult) string { return seconds(r.Took) }),
	cli.Col("failed", func(r peers.FillResult) string { return fmt.Sprint(r.Failed) }),
	cli.Col("elections", func(r peers.FillResult) string { return fmt.Sprint(r.Elections) }),
	cli.Col("leader B/task", func(r peers.FillResult) string { return fmt.Sprint(r.Leader) }),
	cli.Col("peak", func(r peers.FillResult) string { return fmt.Sprint(r.LeaderPeak) }),
	cli.Col("follower B/task", func(r peers.FillResult) string { return fmt.Sprint(r.Follower) }),
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/peers"
)

const pageLong = `Measures what the page and the API cost a manager: placements a second, and its memory, of a fleet of
1,000 workers that holds 100,000 tasks. A manager without them and one with a page open take turns, each new and
filled first. The page is a client that follows the events, and asks for status, workers and tasks every second.
Needs Linux.

  per_s, memory_bytes           medians; the memory is resident, at the end
  per_s_ratio, memory_ratio     ÷ the manager without page and API, medians of single pairs
  events, lists                 lines of events, and answers, that the page got`

func newPageCmd() *cobra.Command {
	var f cli.MeasureFlags
	o := peers.DefaultPageOptions()
	cmd := &cobra.Command{
		Use: "page", Short: "Measure what the page and the API cost a manager", Long: pageLong, Args: cli.Takes(),
		Example: "  musterbench page\n  musterbench page --rounds 9 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return cli.Usagef("%v", err)
			}
			var err error
			if o.Muster, o.NATS, err = programs(o.Muster); err != nil {
				return err
			}
			return cli.Measure(cmd, &f, pageColumns, false, func(bar *cli.Bar) ([]peers.PageResult, error) {
				return peers.Page(cmd.Context(), o, bar.Set)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Muster, "muster", "", "the `muster` program to run as manager; default: beside this program, then on PATH")
	flags.IntVar(&o.Workers, "workers", o.Workers, "workers")
	flags.IntVar(&o.Tasks, "tasks", o.Tasks, "tasks that stay")
	flags.IntVar(&o.Inflight, "inflight", o.Inflight, "calls outstanding at a time")
	flags.IntVar(&o.Rounds, "rounds", o.Rounds, "turns of each")
	flags.DurationVar(&o.Duration, "duration", o.Duration, "length of a turn")
	f.Add(cmd)
	return cmd
}

var pageColumns = []cli.Column[peers.PageResult]{
	cli.Col("page and API", func(r peers.PageResult) string { return map[bool]string{true: "yes", false: "no"}[r.Page] }),
	cli.Col("placements/s", func(r peers.PageResult) string { return fmt.Sprintf("%.0f", r.PerS) }),
	cli.Col("MiB", func(r peers.PageResult) string { return fmt.Sprintf("%.1f", r.Memory/(1<<20)) }),
	cli.Col("placements ÷ without", func(r peers.PageResult) string { return fmt.Sprintf("%.3f", r.PerSRatio) }),
	cli.Col("memory ÷ without", func(r peers.PageResult) string { return fmt.Sprintf("%.3f", r.MemoryRatio) }),
}

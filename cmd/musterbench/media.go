package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/mediabench"
)

const mediaLong = `Transcodes short clips with "muster run video --each" on a fleet of one agent, and with xargs -P and the same
arguments of ffmpeg, in turns. What the fleet adds is the start of a node, a look at the input, the check of the
result, and messages.

  wall_ratio  time of muster run ÷ time of xargs
  cpu_ratio   the same of processor time: that of the queue, the manager, the agent, all nodes and ffmpeg ÷ that of ffmpeg
  load        of the machine before the round

With --split one film of --seconds (600 by default) is transcoded by --parallel workers, each held to a
processor of its own, with "split": true and without, in turns.

  speedup     time without ÷ time with split
  per_worker  speedup ÷ workers`

func newMediaCmd() *cobra.Command {
	var f cli.MeasureFlags
	o := mediabench.DefaultOptions()
	split := false
	cmd := &cobra.Command{
		Use: "media", Short: "Measure what a fleet adds to ffmpeg", Long: mediaLong, Args: cli.Takes(),
		Example: "  musterbench media\n  musterbench media --rounds 5 --clips 40 -o json\n  musterbench media --split",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if split && !cmd.Flags().Changed("seconds") {
				o.Seconds = 600
			}
			if err := o.Validate(); err != nil {
				return cli.Usagef("%v", err)
			}
			program, err := findMuster(o.Muster)
			if err != nil {
				return err
			}
			o.Muster = program
			if split {
				return measured(cmd, &f, o, mediabench.RunSplit, splitColumns)
			}
			return measured(cmd, &f, o, mediabench.Run, mediaColumns)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Muster, "muster", "", "the `muster` program; default: beside this program, then on PATH")
	flags.IntVar(&o.Clips, "clips", o.Clips, "clips in a round")
	flags.Float64Var(&o.Seconds, "seconds", o.Seconds, "length of a clip in seconds")
	flags.StringVar(&o.Size, "size", o.Size, "size of a clip in pixels, `WIDTHxHEIGHT`")
	flags.IntVar(&o.Height, "height", o.Height, "height of the results in pixels")
	flags.IntVar(&o.Parallel, "parallel", o.Parallel, "ffmpeg at a time")
	flags.IntVar(&o.Rounds, "rounds", o.Rounds, "turns of both")
	flags.BoolVar(&split, "split", false, "measure one long film in pieces")
	f.Add(cmd)
	return cmd
}

// measured measures, and prints what there is also where it fails.
func measured[R any](cmd *cobra.Command, f *cli.MeasureFlags, o mediabench.Options, run func(context.Context, mediabench.Options) ([]R, error), columns []cli.Column[R]) error {
	return cli.Measure(cmd, f, columns, false, func(bar *cli.Bar) ([]R, error) {
		o.Progress = bar.Set
		return run(cmd.Context(), o)
	})
}

var splitColumns = []cli.Column[mediabench.SplitResult]{
	cli.Col("round", func(r mediabench.SplitResult) string { return fmt.Sprint(r.Round) }),
	cli.Col("workers", func(r mediabench.SplitResult) string { return fmt.Sprint(r.Workers) }),
	cli.Col("one", func(r mediabench.SplitResult) string { return seconds(r.One) }),
	cli.Col("split", func(r mediabench.SplitResult) string { return seconds(r.Split) }),
	cli.Col("speedup", func(r mediabench.SplitResult) string { return fmt.Sprintf("%.2f", r.Speedup) }),
	cli.Col("per worker", func(r mediabench.SplitResult) string { return fmt.Sprintf("%.2f", r.PerWorker) }),
	cli.Col("load", func(r mediabench.SplitResult) string { return r.Load }),
}

var mediaColumns = []cli.Column[mediabench.Result]{
	cli.Col("round", func(r mediabench.Result) string { return fmt.Sprint(r.Round) }),
	cli.Col("clips", func(r mediabench.Result) string { return fmt.Sprint(r.Clips) }),
	cli.Col("muster", func(r mediabench.Result) string { return seconds(r.MusterWall) }),
	cli.Col("xargs", func(r mediabench.Result) string { return seconds(r.XargsWall) }),
	cli.Col("wall ratio", func(r mediabench.Result) string { return fmt.Sprintf("%.2f", r.WallRatio) }),
	cli.Col("muster CPU", func(r mediabench.Result) string { return seconds(r.MusterCPU) }),
	cli.Col("xargs CPU", func(r mediabench.Result) string { return seconds(r.XargsCPU) }),
	cli.Col("CPU ratio", func(r mediabench.Result) string { return fmt.Sprintf("%.2f", r.CPURatio) }),
	cli.Col("load", func(r mediabench.Result) string { return r.Load }),
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/peers"
)

const startLong = `Runs "muster schedule" as a shell script does, and the least program that sends the same request with
nats.go, in turns. The difference is the start of a larger program.

  wall_ns, cpu_ns        of one run, medians
  wall_ratio, cpu_ratio  ÷ the least program, medians of single pairs`

func newStartCmd() *cobra.Command {
	var f cli.MeasureFlags
	o := peers.StartOptions{Pairs: 100}
	cmd := &cobra.Command{
		Use: "start", Short: "Measure muster schedule beside the least program on NATS", Long: startLong, Args: cli.Takes(),
		Example: "  make start\n  musterbench start --pairs 200 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return cli.Usagef("%v", err)
			}
			var err error
			if o.Muster, o.NATS, err = programs(o.Muster); err != nil {
				return err
			}
			if o.Least == "" {
				o.Least = filepath.Join(filepath.Dir(o.NATS[0]), "leastnats")
			}
			return cli.Measure(cmd, &f, startColumns, false, func(*cli.Bar) ([]peers.StartResult, error) { return peers.Start(cmd.Context(), o) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Muster, "muster", "", "the `muster` program; default: beside this program, then on PATH")
	flags.StringVar(&o.Least, "least", "", "the `leastnats` program (go build ./internal/peers/leastnats); default: beside this program")
	flags.IntVar(&o.Pairs, "pairs", o.Pairs, "runs of each")
	f.Add(cmd)
	return cmd
}

var startColumns = []cli.Column[peers.StartResult]{
	cli.Col("program", func(r peers.StartResult) string { return r.Program }),
	cli.Col("pairs", func(r peers.StartResult) string { return fmt.Sprint(r.Pairs) }),
	cli.Col("wall", func(r peers.StartResult) string { return cli.ShortTime(r.Wall) }),
	cli.Col("cpu", func(r peers.StartResult) string { return cli.ShortTime(r.CPU) }),
	cli.Col("wall ÷ least", func(r peers.StartResult) string { return fmt.Sprintf("%.2f", r.WallRatio) }),
	cli.Col("cpu ÷ least", func(r peers.StartResult) string { return fmt.Sprintf("%.2f", r.CPURatio) }),
}

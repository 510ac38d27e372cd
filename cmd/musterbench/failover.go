package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/bench/testbed"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/failover"
)

const failoverLong = `Starts managers as processes of their own and a made-up fleet in a cluster of its own, makes schedule calls
at a steady rate, and lets the manager that leads fail again and again. The next fault waits until all
managers are well: every one has a vote and has caught up. Of ten calls, three ask again for a task that
was asked for before. In the end every placement that was answered is looked up.

How the leader fails:

  kill  its process is killed; a new one, which knows nothing, takes its place at once
  stop  its process stands still for --pause, then goes on
  cut   for --pause nothing passes between it and the other managers, and between it and the queue

A pause that is shorter than callers wait lets a leader give back in time what it held.

Who calls: "owt" makes each call once and waits 2 s, as an unmodified program of OWT does (the default on
RabbitMQ); "muster" is Muster's own client, which asks again (the default on NATS).

  kills                  faults
  gap_ms_p50, _p99, max  of the gaps: the longest time from an answer to the next one, around each fault
  calls                  schedule calls
  lost                   calls that were never answered (unanswered), and placements that were answered and
                         are unknown in the end (forgotten)
  doubled                tasks with two workers: by two answers, or by an answer and the state in the end
  refused                calls that a manager refused instead of placing the task; OWT's callers do not repeat them
  problems               the first of each kind`

func newFailoverCmd() *cobra.Command {
	var f cli.MeasureFlags
	o := failover.DefaultOptions()
	how, caller, program := string(o.How), "", ""
	cmd := &cobra.Command{
		Use: "failover", Short: "Measure what callers notice when the leading manager fails", Long: failoverLong, Args: cli.Takes(),
		Example: "  musterbench failover --kills 30\n  musterbench failover --url amqp://localhost:5672 --how stop --kills 10 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Program, err = findMuster(program); err != nil {
				return err
			}
			o.How, o.Caller = failover.Fault(how), failover.Caller(caller)
			if err := o.Validate(); err != nil {
				return cli.Usagef("%v", err)
			}
			return cli.Measure(cmd, &f, failoverColumns, true, func(bar *cli.Bar) ([]failover.Result, error) {
				o.Progress = cli.Part[int](bar)
				result, err := failover.Run(cmd.Context(), o)
				if result.Calls == 0 {
					return nil, err
				}
				return []failover.Result{result}, err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&program, "muster", "", "the `muster` program to run as manager; default: beside this program, then on PATH")
	flags.StringVar(&o.Bus.URL, "url", o.Bus.URL,
		"`URL` of the message queue: nats://… or amqp://…; "+testbed.EmbeddedNATS+" starts one for the run")
	flags.IntVar(&o.Managers, "managers", o.Managers, "managers")
	flags.IntVar(&o.Kills, "kills", o.Kills, "how often the leader fails")
	flags.StringVar(&how, "how", how, "`way` in which it fails: kill, stop or cut")
	flags.DurationVar(&o.Pause, "pause", o.Pause, "how long a leader stays stopped or cut off")
	flags.IntVar(&o.Rate, "rate", o.Rate, "calls a second")
	flags.IntVar(&o.Workers, "workers", o.Workers, "workers of the fleet")
	flags.StringVar(&caller, "caller", caller, "`caller`: owt or muster; default: owt on RabbitMQ, muster on NATS")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "seed of everything random in the fleet and the calls")
	f.Add(cmd)
	return cmd
}

var failoverColumns = []cli.Column[failover.Result]{
	cli.Col("queue", func(r failover.Result) string { return r.Bus }),
	cli.Col("how", func(r failover.Result) string { return string(r.How) }),
	cli.Col("caller", func(r failover.Result) string { return string(r.Caller) }),
	cli.Col("kills", func(r failover.Result) string { return cli.Thousands(int64(r.Kills)) }),
	cli.Col("gap p50", func(r failover.Result) string { return fmt.Sprintf("%.1fms", r.GapP50) }),
	cli.Col("gap p99", func(r failover.Result) string { return fmt.Sprintf("%.1fms", r.GapP99) }),
	cli.Col("gap max", func(r failover.Result) string { return fmt.Sprintf("%.1fms", r.GapMax) }),
	cli.Col("calls", func(r failover.Result) string { return cli.Thousands(int64(r.Calls)) }),
	cli.Col("lost", func(r failover.Result) string { return cli.Thousands(int64(r.Lost)) }),
	cli.Col("doubled", func(r failover.Result) string { return cli.Thousands(int64(r.Doubled)) }),
	cli.Col("refused", func(r failover.Result) string { return cli.Thousands(int64(r.Refused)) }),
}

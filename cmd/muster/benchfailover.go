package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/bench"
)

const benchFailoverLong = `Starts managers as processes of their own and a made-up fleet in a cluster of its own, makes schedule calls
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

func newBenchFailoverCmd() *cobra.Command {
	var f benchFlags
	o := bench.DefaultFailoverOptions()
	how, caller := string(o.How), ""
	cmd := &cobra.Command{
		Use: "failover", Short: "Measure what callers notice when the leading manager fails", Long: benchFailoverLong, Args: takes(),
		Example: "  muster bench failover --kills 30\n  muster bench failover --url amqp://localhost:5672 --how stop --kills 10 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Program, err = os.Executable(); err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			o.How, o.Caller = bench.Fault(how), bench.FailoverCaller(caller)
			if err := o.Validate(); err != nil {
				return usagef("%v", err)
			}
			return f.profiled(func() error { return benchFailover(cmd, o, f.format) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Bus.URL, "url", o.Bus.URL,
		"message queue: nats://… or amqp://…; "+bench.EmbeddedNATS+" starts one for the run")
	flags.IntVar(&o.Managers, "managers", o.Managers, "managers")
	flags.IntVar(&o.Kills, "kills", o.Kills, "how often the leader fails")
	flags.StringVar(&how, "how", how, "how it fails: kill, stop or cut")
	flags.DurationVar(&o.Pause, "pause", o.Pause, "how long a leader stays stopped or cut off")
	flags.IntVar(&o.Rate, "rate", o.Rate, "calls a second")
	flags.IntVar(&o.Workers, "workers", o.Workers, "workers of the fleet")
	flags.StringVar(&caller, "caller", caller, "who calls: owt or muster")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "seed of everything random in the fleet and the calls")
	f.add(cmd)
	return cmd
}

func benchFailover(cmd *cobra.Command, o bench.FailoverOptions, format benchFormat) error {
	bar := newBenchBar(cmd.ErrOrStderr())
	o.Progress = func(done, total int) { bar.set(float64(done) / float64(total)) }
	result, err := bench.Failover(cmd.Context(), o)
	bar.close()
	if result.Calls > 0 {
		if err := printBench(cmd.OutOrStdout(), format, failoverColumns, []bench.FailoverResult{result}, true); err != nil {
			return err
		}
	}
	return err
}

var failoverColumns = []benchColumn[bench.FailoverResult]{
	{"queue", func(r bench.FailoverResult) string { return r.Bus }},
	{"how", func(r bench.FailoverResult) string { return string(r.How) }},
	{"caller", func(r bench.FailoverResult) string { return string(r.Caller) }},
	{"kills", func(r bench.FailoverResult) string { return thousands(int64(r.Kills)) }},
	{"gap p50", func(r bench.FailoverResult) string { return fmt.Sprintf("%.1fms", r.GapP50) }},
	{"gap p99", func(r bench.FailoverResult) string { return fmt.Sprintf("%.1fms", r.GapP99) }},
	{"gap max", func(r bench.FailoverResult) string { return fmt.Sprintf("%.1fms", r.GapMax) }},
	{"calls", func(r bench.FailoverResult) string { return thousands(int64(r.Calls)) }},
	{"lost", func(r bench.FailoverResult) string { return thousands(int64(r.Lost)) }},
	{"doubled", func(r bench.FailoverResult) string { return thousands(int64(r.Doubled)) }},
	{"refused", func(r bench.FailoverResult) string { return thousands(int64(r.Refused)) }},
}

package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/bench"
	"github.com/muster-fleet/muster/internal/bench/testbed"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/state"
)

// newBenchCmd measures, on brokers and clusters of its own.
func newBenchCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast tasks are placed",
		Long: `Measures how fast tasks are placed. "place" measures deciding alone, "rpc" a manager on a message
queue. Neither touches a running cluster; what callers notice when managers fail is measured by musterbench failover.
Ctrl-C ends a run; what was measured so far is printed.`,
		Example: "  muster bench place --workers 100,10000\n  muster bench rpc --managers 3",
		Args:    cli.NoSuchCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBenchPlaceCmd(), newBenchRPCCmd())
	return cmd
}

const benchPlaceLong = `Places tasks on a made-up fleet in one goroutine: no queue, no manager.

Every worker serves one isp and one region; every task asks for one of each. Each worker is to hold
--per-worker tasks on average: past that the oldest task ends for each that is placed, so that any
number of tasks fits. Ending tasks is not in the times, save in release_ns.

  per_s               tasks placed in a second of deciding
  p50_ns, p99_ns      times of single decisions; one in 16 is looked at, less what the clock costs (clock_ns)
  max_over_mean       tasks that were placed on a worker ÷ the mean of the workers of its isp and region
                      (those that could have been chosen in its place), for the worker where that is largest
  load_max_over_mean  the same of the load, debit included, at the end
  bytes_per_task      by how much memory grew ÷ the tasks held at the end
  failed              tasks that got no worker, with the reason of the first

The burst of 2,000 tasks onto 100 equal workers:

  muster bench place --workers 100 --isps 1 --regions 1 --tasks 2000 --strategy all`

func newBenchPlaceCmd() *cobra.Command {
	var f cli.MeasureFlags
	o := bench.DefaultPlaceOptions()
	workers, strategy, debit := []int{o.Workers}, string(o.Strategy), "learned"
	cmd := &cobra.Command{
		Use: "place", Short: "Measure the deciding alone", Long: benchPlaceLong, Args: cli.Takes(),
		Example: "  muster bench place --workers 100,10000,100000 --strategy all",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Debit, err = parseBenchDebit(debit); err != nil {
				return err
			}
			runs, err := placeRuns(o, workers, strategy)
			if err != nil {
				return err
			}
			return cli.Measure(cmd, &f, placeColumns, len(runs) == 1, func(bar *cli.Bar) ([]bench.PlaceResult, error) { return benchPlace(cmd, runs, bar) })
		},
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&workers, "workers", workers, "workers of the fleet; several numbers, comma-separated, are several runs")
	flags.IntVar(&o.Tasks, "tasks", 0, "tasks to place; 0 means 20 a worker, and at least 100,000")
	flags.StringVar(&strategy, "strategy", strategy, "`strategy`, several comma-separated, or all")
	flags.IntVar(&o.ISPs, "isps", o.ISPs, "isps of the fleet")
	flags.IntVar(&o.Regions, "regions", o.Regions, "regions of each isp")
	flags.IntVar(&o.PerWorker, "per-worker", o.PerWorker, "tasks that a worker holds at a time, on average; 0 means that no task ends")
	flags.StringVar(&debit, "debit", debit, "what a placement adds to its worker's load, its `debit`: learned, off or a number such as 0.01")
	flags.Float64Var(&o.Load, "load", o.Load, "load that the workers report before the first task")
	flags.Float64Var(&o.Spread, "spread", o.Spread, "how much more than that some of them report, at most")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "seed of everything random in the run")
	f.Add(cmd)
	return cmd
}

// parseBenchDebit reads --debit as the configuration's placement.debit is
// read.
func parseBenchDebit(text string) (state.Debit, error) {
	d := state.DefaultConfig().Debit
	switch text {
	case "learned":
		d.Mode = state.DebitLearned
		return d, nil
	case "off":
		return state.Debit{Mode: state.DebitOff}, nil
	}
	fixed, err := strconv.ParseFloat(text, 64)
	if err != nil || fixed < 0 || fixed > 1 {
		return d, cli.Usagef("--debit must be learned, off or a number from 0 to 1, not %q", text)
	}
	return state.Debit{Mode: state.DebitFixed, Fixed: fixed}, nil
}

// placeRuns is one run for each strategy and fleet.
func placeRuns(o bench.PlaceOptions, workers []int, strategy string) ([]bench.PlaceOptions, error) {
	strategies := muster.Strategies
	if strategy != "all" {
		strategies = nil
		for name := range strings.SplitSeq(strategy, ",") {
			s, err := muster.ParseStrategy(name)
			if err != nil {
				return nil, cli.Usagef("--strategy: %v", err)
			}
			strategies = append(strategies, s)
		}
	}
	var runs []bench.PlaceOptions
	for _, o.Strategy = range strategies {
		for _, o.Workers = range workers {
			if err := o.Validate(); err != nil {
				return nil, cli.Usagef("%v", err)
			}
			runs = append(runs, o)
		}
	}
	return runs, nil
}

// benchPlace carries out the runs, until cmd is interrupted.
func benchPlace(cmd *cobra.Command, runs []bench.PlaceOptions, bar *cli.Bar) (results []bench.PlaceResult, err error) {
	for i, o := range runs {
		if cmd.Context().Err() != nil {
			break
		}
		o.Progress = func(done, total int) { bar.Set((float64(i) + float64(done)/float64(total)) / float64(len(runs))) }
		result, err := bench.Place(cmd.Context(), o)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

const benchRPCLong = `Starts a manager, a fleet that joins it, keeps alive and reports its load, and a bare echo server, all
on one message queue and in a cluster of its own, and calls the two in turns, --slice each, so that
whatever else the machine does falls on both. The echo server and its client use the queue's own client
library and nothing of Muster, with bodies of the size of a schedule call and its answer, one
connection a side. Manager, echo server and callers are all in this process.

--via says how the manager is called: "wire" is a bare call on the queue, as OWT's programs make it, "sdk" is
package client, which is what users of Muster get. --batch says how many tasks a call places; more than one
go by scheduleMany. All combinations take turns.

--signs says how the workers say that they are alive, every 0.8 s: "owt" is a keepAlive and a load that
changes each time, "owt-idle" the same with a load that does not change, "sdk-idle" a keepAlive with the load,
as Muster's SDK sends it. Before the placements they are alone for up to 3 s.

  sign_cpu_ns                     processor time of this process for a worker and 0.8 s while nothing is placed
  ceiling_per_s                   calls that the echo server answered in a second
  placements_per_s                tasks that the manager placed in a second
  of_first, of_first_cpu          placements_per_s and cpu_ns ÷ those of the first combination of --via and --batch
  ratio                           the second ÷ the first; ratio_low and ratio_high are the quartiles over the slices
  ceiling_p50_ns, ceiling_p99_ns  how long a call to the echo server took
  p50_ns, p99_ns                  how long a placement took
  ceiling_cpu_ns, cpu_ns          processor time of this process for a call of the echo server and for a placement,
                                  without that of a broker outside
  failed                          calls that were refused or not answered, with the first reason`

func newBenchRPCCmd() *cobra.Command {
	var f cli.MeasureFlags
	o := bench.DefaultRPCOptions()
	via, signs := []string{string(o.Via[0])}, string(o.Signs)
	cmd := &cobra.Command{
		Use: "rpc", Short: "Measure a manager on a message queue, held against the queue itself", Long: benchRPCLong, Args: cli.Takes(),
		Example: "  muster bench rpc --inflight 1,64,256\n  muster bench rpc --managers 3 --via wire,sdk --batch 1,32\n  muster bench rpc --url amqp://localhost --inflight 64 --duration 30s",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Via, o.Signs = nil, testbed.Signs(signs)
			for _, v := range via {
				o.Via = append(o.Via, bench.Via(v))
			}
			if err := o.Validate(); err != nil {
				return cli.Usagef("%v", err)
			}
			return cli.Measure(cmd, &f, rpcColumns, true, func(bar *cli.Bar) ([]bench.RPCResult, error) {
				o.Progress = cli.Part[time.Duration](bar)
				return bench.RPC(cmd.Context(), o)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Bus.URL, "url", o.Bus.URL,
		"`URL` of the message queue: nats://… or amqp://…; "+testbed.EmbeddedNATS+" starts one for the run")
	flags.IntVar(&o.Workers, "workers", o.Workers, "workers of the fleet")
	flags.IntVar(&o.Managers, "managers", o.Managers, "managers; several agree by Raft, all in this process")
	flags.IntSliceVar(&o.Inflight, "inflight", o.Inflight, "calls outstanding at a time; several numbers, comma-separated, are several measurements")
	flags.DurationVar(&o.Duration, "duration", o.Duration, "time for each measurement, which the echo server and each way to call share")
	flags.DurationVar(&o.Slice, "slice", o.Slice, "time after which they take turns")
	flags.StringSliceVar(&via, "via", via, "`ways` to call the manager: wire, sdk, or both, comma-separated")
	flags.StringVar(&signs, "signs", signs, "`way` in which the workers say that they are alive: owt, owt-idle or sdk-idle")
	flags.IntSliceVar(&o.Batch, "batch", o.Batch, "tasks that a call places; several numbers, comma-separated")
	flags.DurationVar(&o.Reserve, "reserve", o.Reserve, "time that a placement lasts")
	flags.IntVar(&o.ISPs, "isps", o.ISPs, "isps of the fleet")
	flags.IntVar(&o.Regions, "regions", o.Regions, "regions of each isp")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "seed of everything random in the fleet")
	f.Add(cmd)
	return cmd
}

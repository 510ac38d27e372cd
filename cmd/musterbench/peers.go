package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/peers"
)

const peersLong = `Gives tasks to workers with Muster, and with what a team would write in its place: claims by
compare-and-set on a JetStream key-value bucket, and transactions on etcd. Each peer's caller watches
all workers, takes the one with the fewest tasks and, where another caller was faster, tries again.
Muster also keeps the workers alive meanwhile, matches what a task asks for, and remembers why.

All servers are processes of their own on this machine; nothing is written to a disk where there is
/dev/shm. With --disk DIR all keep logs on files there: managers and etcd wait for the disk before they
answer, JetStream does not: there it is measured once more as jetstream-kv-sync, with sync_interval:
always, and as disk what the disk allows: 200 bytes to a file for each server, most of them synced.
With --servers 3 there are three managers on one NATS server, a bucket of three replicas, three members
of etcd. The contenders take turns, --slice each.

--batch says how many tasks a call of Muster places; a claim of the others is one task.

  per_s          tasks that got a worker in a second
  muster_ratio   that of Muster, with the first of --batch, ÷ this one
  muster_batch_ratio
                 that of Muster, with the largest of --batch, ÷ this one
  tries          claims until one held, on average
  p50_ns, p99_ns how long a claim took, or a call of several tasks
  failed         claims that ended with an error, with the first reason`

func newPeersCmd() *cobra.Command {
	var f cli.MeasureFlags
	o := peers.DefaultOptions()
	cmd := &cobra.Command{
		Use: "peers", Short: "Measure Muster beside a key-value bucket and etcd", Long: peersLong, Args: cli.Takes(),
		Example: "  musterbench peers\n  musterbench peers --servers 3 --inflight 64 --callers 1,4 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Muster, o.NATS, err = programs(o.Muster); err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return cli.Usagef("%v", err)
			}
			return cli.Measure(cmd, &f, peersColumns, false, func(bar *cli.Bar) ([]peers.Result, error) {
				o.Progress = bar.Set
				return peers.Run(cmd.Context(), o)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Muster, "muster", "", "the `muster` program to run as manager; default: beside this program, then on PATH")
	flags.StringVar(&o.Etcd, "etcd", o.Etcd, "the etcd `program`")
	flags.IntSliceVar(&o.Servers, "servers", o.Servers, "servers of each contender; several numbers, comma-separated, are measured one after the other")
	flags.IntSliceVar(&o.Inflight, "inflight", o.Inflight, "claims outstanding at a time")
	flags.IntSliceVar(&o.Callers, "callers", o.Callers, "independent callers; more than one is measured at 64 in flight")
	flags.IntSliceVar(&o.Batch, "batch", o.Batch, "tasks that a call of Muster places")
	flags.StringVar(&o.Disk, "disk", "", "`directory` on a disk where all keep their logs; default: in memory")
	flags.IntVar(&o.Workers, "workers", o.Workers, "workers to claim")
	flags.DurationVar(&o.Duration, "duration", o.Duration, "time of each measurement, all contenders together")
	flags.DurationVar(&o.Slice, "slice", o.Slice, "time after which the next contender has its turn")
	f.Add(cmd)
	return cmd
}

var peersColumns = []cli.Column[peers.Result]{
	cli.Col("servers", func(r peers.Result) string { return fmt.Sprint(r.Servers) }),
	cli.Col("callers", func(r peers.Result) string { return fmt.Sprint(r.Callers) }),
	cli.Col("in flight", func(r peers.Result) string { return fmt.Sprint(r.Inflight) }),
	cli.Col("contender", func(r peers.Result) string { return r.Contender }),
	cli.Col("tasks a call", func(r peers.Result) string { return fmt.Sprint(r.Batch) }),
	cli.Col("placed/s", func(r peers.Result) string { return cli.Thousands(r.PerS) }),
	cli.Col("Muster ÷ it", func(r peers.Result) string { return fmt.Sprintf("%.2f", r.Ratio) }),
	cli.Col("in batches ÷ it", func(r peers.Result) string { return fmt.Sprintf("%.2f", r.BatchRatio) }),
	cli.Col("tries", func(r peers.Result) string { return fmt.Sprintf("%.2f", r.Tries) }),
	cli.Col("p50", func(r peers.Result) string { return cli.ShortTime(r.P50) }),
	cli.Col("p99", func(r peers.Result) string { return cli.ShortTime(r.P99) }),
	cli.Col("failed", func(r peers.Result) string { return cli.Failures(r.Failed, r.Reason) }),
}

// serveNATS is the verb of this program that is a NATS server.
const serveNATS = "serve-nats"

func newServeNATSCmd() *cobra.Command {
	var o peers.NATSOptions
	var routes string
	cmd := &cobra.Command{
		Use: serveNATS, Short: "Run a NATS server with JetStream, for peers", Hidden: true, Args: cli.Takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if routes != "" {
				o.Routes = strings.Split(routes, ",")
			}
			return peers.ServeNATS(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Name, "name", "", "name of the server")
	flags.StringVar(&o.Listen, "listen", "", "where clients connect")
	flags.StringVar(&o.RoutesListen, "routes-listen", "", "where other servers connect")
	flags.StringVar(&routes, "routes", "", "all servers of the cluster, comma-separated")
	flags.StringVar(&o.Store, "store", "", "directory of JetStream")
	flags.BoolVar(&o.SyncAlways, "sync-always", false, "sync each write before it is answered")
	return cmd
}

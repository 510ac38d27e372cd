package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

// workerStates are those of --state.
var workerStates = []string{"ready", "full", "draining", "cordoned", "not-ready", "initializing"}

func newWorkersCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "workers [PURPOSE]",
		Short: "List the workers and how loaded they are",
		Long: `List the workers of a purpose, or all, by purpose and id. --limit and the filters ask the manager for a
part of them only.

LOAD is what the worker measured last, DEBIT what recent placements are expected to add to it. From LIMIT
on the worker gets no further tasks; one that has not reported a load yet gets none. LAST HEARD is its last
sign of life, with ! where that is long ago: a worker that died is listed until it is evicted. 'muster worker ID'
shows everything about one.` + "\n" + precedence,
		Example: "  muster workers\n  muster workers webrtc -o json\n  muster workers --state full --region eu --limit 20",
		Args:    cli.Takes("[PURPOSE]"),
	}
	a, part := askingFlags(cmd), partFlags(cmd, "ready, full, draining, cordoned, not-ready or initializing")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := part.check(workerStates...); err != nil {
			return err
		}
		query := client.WorkerQuery{
			Purpose: optional(args), State: part.state, Region: part.region, Labels: part.labels, Names: true, Limit: part.page(),
		}
		return show(a, func(ctx context.Context, c *client.Client) ([]muster.Worker, error) {
			workers, err := firstOf(c.EachWorker(ctx, query), part.limit)
			if err == nil {
				err = knownPurpose(ctx, c, optional(args), len(workers))
			}
			return workers, err
		}, printWorkers)
	}
	return cmd
}

func printWorkers(p *cli.Page, workers []muster.Worker) {
	t := cli.Table{Empty: "no workers", Heading: []string{"PURPOSE", "WORKER", "STATE", "LAST HEARD", "LOAD", "DEBIT", "LIMIT", "TASKS", "SERVES"}}
	for _, x := range workers {
		t.Add(x.Purpose, x.ID, stateOf(x), heard(x), loadText(x), percent(x.Debit), percent(x.Info.MaxLoad), taskCount(x), serves(x.Info))
	}
	p.Table(t)
}

// loadText is the load that a worker reported, "-" before that.
func loadText(w muster.Worker) string {
	if w.NoLoad {
		return "-"
	}
	return percent(w.Load)
}

func percent(x float64) string { return fmt.Sprintf("%.1f%%", 100*x) }

// taskCount is such as "2 running, 1 reserved, of 8".
func taskCount(w muster.Worker) string {
	var parts []string
	running, reserved := w.CountTasks()
	for _, p := range []struct {
		n    int
		what string
	}{{running, "running"}, {reserved, "reserved"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		parts = []string{"0"}
	}
	if w.Info.MaxTasks > 0 {
		parts = append(parts, fmt.Sprintf("of %d", w.Info.MaxTasks))
	}
	return strings.Join(parts, ", ")
}

// serves is what a worker says of its capacity, "anything" where it says
// nothing.
func serves(info muster.Info) string {
	var parts []string
	add := func(name string, list []string) {
		if len(list) > 0 {
			parts = append(parts, name+" "+strings.Join(list, ","))
		}
	}
	add("isp", info.Capacity.ISPs)
	add("region", info.Capacity.Regions)
	if video := info.Capacity.Video; video != nil {
		add("encode", video.Encode)
		add("decode", video.Decode)
	}
	add("algorithm", info.Capacity.Algorithms)
	for _, key := range slices.Sorted(maps.Keys(info.Labels)) {
		parts = append(parts, key+"="+info.Labels[key])
	}
	if len(parts) == 0 {
		return "anything"
	}
	return strings.Join(parts, "; ")
}

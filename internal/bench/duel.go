package bench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/muster-fleet/muster/internal/bench/measure"
	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// duel is one measurement of manager against echo.
type duel struct {
	rig      *rig
	inflight int
	// before is how much of the run's time other duels took.
	before time.Duration
}

// run lets both sides take turns, each going first in every second pair.
func (d duel) run(ctx context.Context) (RPCResult, error) {
	r, o := d.rig, d.rig.opts
	echo, err := r.dialEcho(d.inflight)
	if err != nil {
		return RPCResult{}, err
	}
	defer echo.close()
	ceiling := measure.NewLoad(d.inflight, echo.call)
	manager := measure.NewLoad(d.inflight, r.place(d.inflight))
	sides := []*measure.Load{ceiling, manager}
	for _, side := range sides { // what is slow only once is not counted
		side.Slice(ctx, o.Slice)
		side.Forget()
	}
	pairs := int(o.Duration / (2 * o.Slice))
	for pair := 0; pair < pairs && ctx.Err() == nil; pair++ {
		for _, side := range sides {
			side.Slice(ctx, o.Slice)
		}
		slices.Reverse(sides)
		d.progress(time.Duration(pair+1) * 2 * o.Slice)
	}
	result := d.result(ceiling, manager)
	result.Interrupted = ctx.Err() != nil
	return result, nil
}

func (d duel) progress(done time.Duration) {
	o := d.rig.opts
	if o.Progress != nil {
		o.Progress(d.before+done, time.Duration(len(o.Inflight))*o.Duration)
	}
}

func (d duel) result(ceiling, manager *measure.Load) RPCResult {
	echoed, placed := ceiling.Times(), manager.Times()
	out := RPCResult{
		Bus: d.rig.kind, Managers: d.rig.opts.Managers, Workers: d.rig.opts.Workers, Inflight: d.inflight,
		CeilingPerS: ceiling.PerSecond(), PlacementsPerS: manager.PerSecond(),
		CeilingP50: echoed.Quantile(0.50), CeilingP99: echoed.Quantile(0.99),
		P50: placed.Quantile(0.50), P99: placed.Quantile(0.99),
		CeilingCPU: ceiling.CPUPerCall(), CPU: manager.CPUPerCall(),
		Slices: len(manager.Rates()),
	}
	if out.CeilingPerS > 0 {
		out.Ratio = measure.Round(float64(out.PlacementsPerS)/float64(out.CeilingPerS), 3)
	}
	out.RatioLow, out.RatioHigh = quartiles(manager.Rates(), ceiling.Rates())
	out.Failed, out.Reason = manager.Failed()
	out.EchoFailed, _ = ceiling.Failed()
	out.Calls = manager.Answered() + out.Failed
	return out
}

// quartiles returns the first and the third of the ratios of a to b, slice by
// slice.
func quartiles(a, b []float64) (low, high float64) {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if b[i] > 0 {
			ratios = append(ratios, a[i]/b[i])
		}
	}
	if len(ratios) == 0 {
		return 0, 0
	}
	slices.Sort(ratios)
	last := len(ratios) - 1
	return measure.Round(ratios[last/4], 3), measure.Round(ratios[last-last/4], 3)
}

// place returns a caller that places tasks of new names, asking for each pool
// of the fleet in turn.
func (r *rig) place(lanes int) measure.Caller {
	type counter struct {
		n int
		_ [56]byte // a cache line for each lane
	}
	counters := make([]counter, lanes)
	prefixes := make([]string, lanes)
	r.duels++
	for i := range prefixes {
		prefixes[i] = fmt.Sprintf("task-%d-%d-", r.duels, i)
	}
	reserve := r.opts.Reserve.Milliseconds()
	return func(ctx context.Context, lane int) error {
		n := counters[lane].n
		counters[lane].n++
		task := string(strconv.AppendInt(append(make([]byte, 0, 32), prefixes[lane]...), int64(n), 10))
		preference := r.fleet.Pools[(n+lane)%len(r.fleet.Pools)].Preference
		_, err := r.caller.Call(ctx, r.opts.Cluster, "schedule", testbed.Purpose, task, preference, reserve)
		return err
	}
}

package bench

import (
	"context"
	"slices"
	"time"

	"github.com/muster-fleet/muster/internal/bench/measure"
)

// duel is one measurement of the manager, called in one or several ways, against
// the echo server.
type duel struct {
	rig      *rig
	inflight int
	signCPU  time.Duration
	// before is how much of the run's time other duels took.
	before time.Duration
}

// contender is one way to call the manager.
type contender struct {
	via   Via
	batch int
	load  *measure.Load
}

// run lets all sides take turns, in the reverse order each second round.
func (d duel) run(ctx context.Context) ([]RPCResult, error) {
	r, o := d.rig, d.rig.opts
	echo, err := r.dialEcho(d.inflight)
	if err != nil {
		return nil, err
	}
	defer echo.close()
	ceiling := measure.NewLoad(d.inflight, echo.call)
	contenders := d.contenders()
	sides := []*measure.Load{ceiling}
	for _, c := range contenders {
		sides = append(sides, c.load)
	}
	for _, side := range sides { // what is slow only once is not counted
		side.Slice(ctx, o.Slice)
		side.Forget()
	}
	round := time.Duration(len(sides)) * o.Slice
	rounds := max(int(o.Duration/round), 1)
	for done := 0; done < rounds && ctx.Err() == nil; done++ {
		for _, side := range sides {
			side.Slice(ctx, o.Slice)
		}
		slices.Reverse(sides)
		d.progress(o.Duration * time.Duration(done+1) / time.Duration(rounds))
	}
	return d.results(ctx, ceiling, contenders), nil
}

// contenders are the ways to call the manager that are asked for.
func (d duel) contenders() (all []contender) {
	for _, via := range d.rig.opts.Via {
		for _, batch := range d.rig.opts.Batch {
			all = append(all, contender{via, batch, measure.NewLoad(d.inflight, d.rig.place(via, batch, d.inflight))})
		}
	}
	return all
}

func (d duel) progress(done time.Duration) {
	o := d.rig.opts
	if o.Progress != nil {
		o.Progress(d.before+done, time.Duration(len(o.Inflight))*o.Duration)
	}
}

func (d duel) results(ctx context.Context, ceiling *measure.Load, contenders []contender) []RPCResult {
	var all []RPCResult
	for _, c := range contenders {
		result := d.result(ceiling, c)
		result.Interrupted = ctx.Err() != nil
		first := &result
		if len(all) > 0 {
			first = &all[0]
		}
		if first.PlacementsPerS > 0 && first.CPU > 0 {
			result.OfFirst = measure.Round(float64(result.PlacementsPerS)/float64(first.PlacementsPerS), 3)
			result.OfFirstCPU = measure.Round(float64(result.CPU)/float64(first.CPU), 3)
		}
		all = append(all, result)
	}
	return all
}

func (d duel) result(ceiling *measure.Load, c contender) RPCResult {
	echoed, placed := ceiling.Times(), c.load.Times()
	out := RPCResult{
		Bus: d.rig.kind, Managers: d.rig.opts.Managers, Workers: d.rig.opts.Workers, Inflight: d.inflight,
		Via: c.via, Batch: c.batch, Signs: d.rig.opts.Signs, SignCPU: d.signCPU,
		CeilingPerS: ceiling.PerSecond(), PlacementsPerS: int64(c.batch) * c.load.PerSecond(),
		CeilingP50: echoed.Quantile(0.50), CeilingP99: echoed.Quantile(0.99),
		P50: placed.Quantile(0.50), P99: placed.Quantile(0.99),
		CeilingCPU: ceiling.CPUPerCall(), CPU: c.load.CPUPerCall() / time.Duration(c.batch),
		Slices: len(c.load.Rates()),
	}
	if out.CeilingPerS > 0 {
		out.Ratio = measure.Round(float64(out.PlacementsPerS)/float64(out.CeilingPerS), 3)
	}
	out.RatioLow, out.RatioHigh = quartiles(c.load.Rates(), ceiling.Rates())
	out.RatioLow, out.RatioHigh = float64(c.batch)*out.RatioLow, float64(c.batch)*out.RatioHigh
	out.Failed, out.Reason = c.load.Failed()
	out.EchoFailed, _ = ceiling.Failed()
	out.Calls = c.load.Answered() + out.Failed
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

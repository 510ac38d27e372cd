package failover

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/muster-fleet/muster/internal/systemtest/cluster"
	"github.com/muster-fleet/muster/internal/systemtest/history"
)

// failAll makes the leader fail as often as requested.
func (t *trial) failAll(ctx context.Context) error {
	for i := range t.opts.Kills {
		if err := t.load.Await(ctx, between); err != nil {
			return err
		}
		fault, err := t.fail(ctx)
		if err != nil {
			return err
		}
		t.faults = append(t.faults, fault)
		t.opts.Progress(i+1, t.opts.Kills)
	}
	return t.load.Await(ctx, between)
}

// fail makes the leader fail, and returns when all managers have recovered.
func (t *trial) fail(ctx context.Context) (span, error) {
	ctx, cancel := context.WithTimeout(ctx, t.opts.Pause+healTime)
	defer cancel()
	leader, err := t.cluster.AwaitLeader(ctx, nil)
	if err != nil {
		return span{}, err
	}
	s := span{from: t.load.Now()}
	switch t.opts.How {
	case FaultStop:
		t.cluster.Stop(leader)
		err = t.pause(ctx, leader)
		t.cluster.Continue(leader)
	case FaultCut:
		t.cluster.Cut(leader)
		err = t.pause(ctx, leader)
		t.cluster.Heal(leader)
	default:
		t.cluster.Kill(leader)
		err = t.cluster.Launch(leader)
	}
	if err == nil {
		err = t.awaitHealth(ctx)
	}
	s.to = t.load.Now()
	return s, err
}

// pause lasts at least until another manager leads.
func (t *trial) pause(ctx context.Context, leader *cluster.Manager) error {
	over := time.NewTimer(t.opts.Pause)
	defer over.Stop()
	if _, err := t.cluster.AwaitLeader(ctx, leader); err != nil {
		return err
	}
	select {
	case <-over.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// measured returns the results that do not depend on the final state.
func (t *trial) measured(calls []history.Call) Result {
	r := Result{
		Bus: t.kind, How: t.opts.How, Caller: t.opts.Caller, Managers: t.opts.Managers,
		Kills: len(t.faults), Calls: len(calls), Gaps: []float64{},
	}
	var gaps []time.Duration
	for _, fault := range t.faults {
		gap := history.Gap(calls, fault.from, fault.to)
		gaps = append(gaps, gap)
		r.Gaps = append(r.Gaps, milliseconds(gap))
	}
	r.GapP50 = milliseconds(nearest(gaps, 0.5))
	r.GapP99 = milliseconds(nearest(gaps, 0.99))
	r.GapMax = milliseconds(nearest(gaps, 1))
	return r
}

func (r *Result) judge(v history.Verdict) {
	r.Unanswered, r.Forgotten, r.Lost = v.Unanswered, v.Forgotten, v.Lost()
	r.Doubled, r.Refused, r.Problems = v.Doubled, v.Refused, v.Problems
}

// nearest returns the q-quantile of the times by the nearest-rank method, or 0 if
// there are none.
func nearest(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func milliseconds(d time.Duration) float64 { return math.Round(d.Seconds()*10_000) / 10 }

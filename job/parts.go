package job

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/muster-fleet/muster"
)

// mostParts bounds what one task may ask for.
const mostParts = 1000

// planOf returns what a task asks for when it has ended; nil is nothing.
func planOf(detail json.RawMessage) *muster.TaskPlan {
	var d struct {
		Plan *muster.TaskPlan `json:"plan"`
	}
	if json.Unmarshal(detail, &d) != nil || d.Plan == nil || len(d.Plan.Parts) == 0 || len(d.Plan.Parts) > mostParts {
		return nil
	}
	return d.Plan
}

// carryOut runs what the task asked for in its last report. The parts are named
// after it, and have its preference.
func (r *run) carryOut(ctx context.Context) error {
	plan := planOf(r.report.Detail)
	if plan == nil {
		return nil
	}
	if err := r.runParts(ctx, plan.Parts); err != nil {
		if plan.Otherwise != nil && ctx.Err() == nil {
			_ = r.part("cleanup", plan.Otherwise).toEnd(ctx) // the reason is that of the part
		}
		return err
	}
	last := r.part("join", plan.Then)
	last.tell = func(u Update) { r.tellOf(u, 1) }
	err := last.toEnd(ctx)
	r.worker, r.node, r.report, r.attempt = last.worker, last.node, last.report, max(r.attempt, last.attempt)
	r.refusals = append(r.refusals, last.refusals...)
	return err
}

func (r *run) part(name string, spec json.RawMessage) *run {
	j := r.job
	j.Task, j.Room, j.Spec = r.job.Task+"."+name, "", spec
	part := newRun(j, r.dispatcher)
	part.tell = func(Update) {}
	return part
}

// runParts runs all parts; the first that fails for good stops the others.
func (r *run) runParts(ctx context.Context, specs []json.RawMessage) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex
	shares, parts := make([]float64, len(specs)), make([]*run, len(specs))
	var all sync.WaitGroup
	for i, spec := range specs {
		p := r.part(fmt.Sprintf("part-%d", i+1), spec)
		p.tell = func(u Update) {
			mu.Lock()
			defer mu.Unlock()
			if share := u.Report.Progress; share != nil {
				shares[i] = *share
			}
			sum := 0.0
			for _, s := range shares {
				sum += s
			}
			r.tellOf(u, sum/float64(len(shares)))
		}
		parts[i] = p
		all.Go(func() {
			if err := p.toEnd(ctx); err != nil {
				stop(fmt.Errorf("%s: %w", p.job.Task, err))
			}
			p.releaseNext()
		})
	}
	all.Wait()
	for _, p := range parts {
		r.refusals = append(r.refusals, p.refusals...)
		r.attempt = max(r.attempt, p.attempt)
	}
	return context.Cause(ctx)
}

// tellOf reports an update of a part as one of the whole.
func (r *run) tellOf(u Update, share float64) {
	if u.Phase == Over {
		return
	}
	u.Job, u.Report.Task, u.Report.Progress = r.job, r.job.Task, &share
	r.dispatcher.notify(u)
}

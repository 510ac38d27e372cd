package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
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
	tag := tagOf(plan)
	if !r.owns(ctx) {
		if ended, err := r.awaitOwner(ctx, tag); ended {
			return err
		}
	}
	if err := r.runParts(ctx, tag, plan.Parts); err != nil {
		if plan.Otherwise != nil && ctx.Err() == nil {
			_ = r.part(tag+"."+cleanupName, plan.Otherwise).toEnd(ctx) // the reason is that of the part
		}
		return err
	}
	last := r.part(tag+"."+joinName, plan.Then)
	last.tell = func(u Update) { r.tellOf(u, 1) }
	err := last.toEnd(ctx)
	r.worker, r.node, r.report, r.attempt = last.worker, last.node, last.report, max(r.attempt, last.attempt)
	r.refusals = append(r.refusals, last.refusals...)
	return err
}

// The last names of the tasks that end a plan.
const (
	joinName    = "join"
	cleanupName = "cleanup"
)

// tagOf is part of the names of a plan's tasks: those of another run of the same
// name, which has another plan, must not meet them.
func tagOf(plan *muster.TaskPlan) string {
	sum := sha256.Sum256(plan.Then)
	return hex.EncodeToString(sum[:4])
}

// awaitOwner waits until the run that began the task has carried out its plan: both
// would do the parts twice, and the join of the second would find none. False is that
// the owner ended before that: for Options.Patience none of its tasks had a place.
func (r *run) awaitOwner(ctx context.Context, tag string) (bool, error) {
	prefix := r.job.Task + "." + tag + "."
	for last := time.Now(); time.Since(last) < r.dispatcher.opts.Patience; {
		running, err := r.running(ctx, prefix)
		if running || err != nil { // a manager that does not answer says nothing
			last = time.Now()
		} else if report, worker, ended := r.ended(ctx, prefix+joinName); ended {
			r.worker, r.node, r.report = worker, report.Node, report
			if report.State == muster.TaskFailed {
				return true, fmt.Errorf("%w: %s", failure(report.Cause), report.Error)
			}
			return true, nil
		} else if _, _, failed := r.ended(ctx, prefix+cleanupName); failed {
			return true, fmt.Errorf("%w: a part failed in the run that began the task, which names it", ErrFailed)
		}
		if !r.dispatcher.pause(ctx) {
			return true, fmt.Errorf("%w: %w", context.Cause(ctx), ErrJoined)
		}
	}
	return false, nil
}

// running reports whether a task whose name begins so has a place.
func (r *run) running(ctx context.Context, prefix string) (found bool, err error) {
	err = r.dispatcher.within(ctx, func(ctx context.Context) error {
		tasks, err := r.dispatcher.client.ListTasks(ctx, r.job.Purpose)
		found = slices.ContainsFunc(tasks, func(t client.Task) bool { return strings.HasPrefix(t.Task, prefix) })
		return err
	})
	return found, err
}

// ended asks all workers of the purpose how a task ended.
func (r *run) ended(ctx context.Context, task string) (report muster.TaskReport, worker string, found bool) {
	for _, worker := range r.dispatcher.workers(ctx, r.job.Purpose) {
		err := r.dispatcher.within(ctx, func(ctx context.Context) (err error) {
			report, err = r.dispatcher.client.QueryTask(ctx, worker, task)
			return err
		})
		if err == nil && report.State != muster.TaskRunning {
			return report, worker, true
		}
	}
	return muster.TaskReport{}, "", false
}

func (r *run) part(name string, spec json.RawMessage) *run {
	j := r.job
	j.Task, j.Room, j.Spec = r.job.Task+"."+name, "", spec
	part := newRun(j, r.dispatcher)
	part.tell = func(Update) {}
	return part
}

// runParts runs all parts; the first that fails for good stops the others.
func (r *run) runParts(ctx context.Context, tag string, specs []json.RawMessage) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex
	shares, parts := make([]float64, len(specs)), make([]*run, len(specs))
	var all sync.WaitGroup
	for i, spec := range specs {
		p := r.part(fmt.Sprintf("%s.part-%d", tag, i+1), spec)
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

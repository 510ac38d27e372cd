package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/specid"
)

// taskTable holds the tasks of a node.
type taskTable struct {
	work Work
	opts Options
	// publish sends an event; reportEnd reports an ended task to the agent.
	publish   func(Event)
	reportEnd func(muster.TaskReport)

	ctx     context.Context
	running sync.WaitGroup

	mu   sync.Mutex
	jobs map[string]*job
}

// job is a started task.
type job struct {
	table *taskTable
	order muster.TaskOrder
	began time.Time
	stop  context.CancelFunc
	ended chan struct{}

	mu  sync.Mutex
	now muster.TaskReport
}

// start starts a task. It does nothing if the task was already started with the
// same spec. The task has the span of from.
func (d *taskTable) start(from context.Context, o muster.TaskOrder) error {
	if o.Task == "" {
		return errors.New("task is missing: start takes {task, room, spec}")
	}
	if err := o.Check(); err != nil {
		return err
	}
	if old, err := d.find(o.Task); err == nil {
		return old.repeated(o)
	}
	if err := d.work.Check(o.Spec); err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return errors.New("the node is ending")
	}
	if old := d.jobs[o.Task]; old != nil { // started while the spec was checked
		return old.repeated(o)
	}
	ctx, stop := context.WithCancel(trace.ContextWithSpanContext(d.ctx, trace.SpanContextFromContext(from)))
	j := &job{table: d, order: o, began: time.Now(), stop: stop, ended: make(chan struct{})}
	j.now = muster.TaskReport{Task: o.Task, Room: o.Room, Node: d.opts.ID, State: muster.TaskRunning}
	d.jobs[o.Task] = j
	d.running.Go(func() { j.run(ctx) })
	return nil
}

func (j *job) repeated(o muster.TaskOrder) error {
	if specid.Of(j.order.Room, j.order.Spec) != specid.Of(o.Room, o.Spec) {
		return muster.ReasonTaskTaken
	}
	return nil
}

func (j *job) run(ctx context.Context) {
	defer j.stop()
	d := j.table
	d.updateStatus()
	t := &Task{Name: j.order.Task, Room: j.order.Room, Node: d.opts.ID, Purpose: d.opts.Purpose, Spec: j.order.Spec, job: j}
	err := guarded(ctx, d.work, t)
	state, why := outcome(err, ctx.Err() != nil)
	cause := causeOf(state, err)
	if cause == muster.CauseStopped && d.ctx.Err() != nil {
		cause = muster.CausePassing // the node ends, not this task alone
	}
	j.end(state, why, cause)
	d.updateStatus()
	d.opts.Logger.Info("task ended", "task", t.Name, "state", j.snapshot().State, "err", err)
	if pause.For(d.ctx, d.opts.Linger) { // the report of an ended task stays readable
		d.reportEnd(j.snapshot())
	}
	d.mu.Lock()
	delete(d.jobs, j.order.Task)
	d.mu.Unlock()
}

// guarded turns a panic of one task into its error, so that the others go on.
func guarded(ctx context.Context, w Work, t *Task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.Do(ctx, t)
}

func (j *job) end(state muster.TaskState, why string, cause muster.Cause) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now.State, j.now.Error, j.now.Cause, j.now.Seconds = state, why, cause, time.Since(j.began).Seconds()
	close(j.ended)
}

// report records the progress of the work.
func (j *job) report(p Progress) {
	detail, err := json.Marshal(p.Detail)
	if err != nil {
		j.table.opts.Logger.Warn("report not encoded", "task", j.order.Task, "err", err)
		detail = nil
	}
	j.mu.Lock()
	j.now.Progress, j.now.Detail = nil, detail
	if p.Share >= 0 {
		j.now.Progress = &p.Share
	}
	j.mu.Unlock()
	j.table.updateStatus()
}

func (j *job) snapshot() muster.TaskReport {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.now
	if r.State == muster.TaskRunning {
		r.Seconds = time.Since(j.began).Seconds()
	}
	return r
}

// find returns a task that runs, or ended less than Options.Linger ago.
func (d *taskTable) find(task string) (*job, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if j := d.jobs[task]; j != nil {
		return j, nil
	}
	return nil, muster.ReasonNoTask
}

// close stops all tasks, and waits for them to end.
func (d *taskTable) close() {
	d.mu.Lock()
	for _, j := range d.jobs {
		j.stop()
	}
	d.mu.Unlock()
	d.running.Wait()
}

package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/specid"
)

// desk has the tasks of a node.
type desk struct {
	work Work
	opts Options
	// publish sends an event; retire tells the agent of a task that ended.
	publish func(Event)
	retire  func(muster.TaskReport)

	ctx     context.Context
	running sync.WaitGroup

	mu   sync.Mutex
	jobs map[string]*job
}

// job is a task that was started.
type job struct {
	desk  *desk
	order muster.TaskOrder
	began time.Time
	stop  context.CancelFunc
	ended chan struct{}

	mu     sync.Mutex
	state  muster.TaskState
	err    string
	cause  muster.Cause
	took   time.Duration
	share  float64
	detail json.RawMessage
}

// start begins a task. A task that was started before with the same spec is
// left as it is.
func (d *desk) start(o muster.TaskOrder) error {
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
	if old := d.jobs[o.Task]; old != nil { // begun while the spec was checked
		return old.repeated(o)
	}
	ctx, stop := context.WithCancel(d.ctx)
	j := &job{desk: d, order: o, began: time.Now(), stop: stop, ended: make(chan struct{}), state: muster.TaskRunning, share: -1}
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
	d := j.desk
	d.say()
	t := &Task{Name: j.order.Task, Room: j.order.Room, Node: d.opts.ID, Purpose: d.opts.Purpose, Spec: j.order.Spec, job: j}
	err := guarded(ctx, d.work, t)
	state, why := outcome(err, ctx.Err() != nil)
	j.end(state, why, causeOf(state, err))
	d.say()
	d.opts.Logger.Info("task over", "task", t.Name, "state", j.snapshot().State, "err", err)
	if d.linger() {
		d.retire(j.snapshot())
	}
	d.mu.Lock()
	delete(d.jobs, j.order.Task)
	d.mu.Unlock()
}

// guarded keeps a panic of one task from the others.
func guarded(ctx context.Context, w Work, t *Task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.Do(ctx, t)
}

// linger waits while the report of an ended task is readable; false means that
// the node ends.
func (d *desk) linger() bool {
	select {
	case <-time.After(d.opts.Linger):
		return true
	case <-d.ctx.Done():
		return false
	}
}

func (j *job) end(state muster.TaskState, why string, cause muster.Cause) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state, j.err, j.cause, j.took = state, why, cause, time.Since(j.began)
	close(j.ended)
}

// report takes what the work says of itself.
func (j *job) report(p Progress) {
	detail, err := json.Marshal(p.Detail)
	if err != nil {
		j.desk.opts.Logger.Warn("a report cannot be encoded", "task", j.order.Task, "err", err)
		detail = nil
	}
	j.mu.Lock()
	j.share, j.detail = p.Share, detail
	j.mu.Unlock()
	j.desk.say()
}

func (j *job) snapshot() muster.TaskReport {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := muster.TaskReport{
		Task: j.order.Task, Room: j.order.Room, Node: j.desk.opts.ID, State: j.state, Error: j.err, Cause: j.cause, Detail: j.detail,
		Seconds: j.took.Seconds(),
	}
	if j.state == muster.TaskRunning {
		r.Seconds = time.Since(j.began).Seconds()
	}
	if j.share >= 0 {
		share := j.share
		r.Progress = &share
	}
	return r
}

// find returns a task that runs, or that ended a moment ago.
func (d *desk) find(task string) (*job, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if j := d.jobs[task]; j != nil {
		return j, nil
	}
	return nil, muster.ReasonNoTask
}

// close ends all tasks, and waits for them.
func (d *desk) close() {
	d.mu.Lock()
	for _, j := range d.jobs {
		j.stop()
	}
	d.mu.Unlock()
	d.running.Wait()
}

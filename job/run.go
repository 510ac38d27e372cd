package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

// stopTime is how long the end of a job that was interrupted may take.
const stopTime = 5 * time.Second

// Run runs one job to its end. Where ctx is over before that, the task is
// stopped.
func Run(ctx context.Context, c *client.Client, j Job, opts Options) Outcome {
	return Each(ctx, c, []Job{j}, opts)[0]
}

// run is a job that is being run.
type run struct {
	job  Job
	desk *desk
	// before is closed when the job before this one was placed, placed when
	// this one was, or will not be.
	before, placed chan struct{}

	attempt int
	// refusals are of workers that could not do the job; shunned are all that are
	// not asked again, if there are others.
	refusals []Refusal
	shunned  map[string]bool
	// first is why the first attempt failed.
	first        error
	worker, node string
	// placement is what the manager answered last.
	placement muster.Placement
	// by identifies this run to agents: it ends what it began.
	by string
	// awaited is a node that starts for the task, and was not ready in time.
	awaited string
	// mute is a node that does not answer on the bus: a program of any kind.
	mute   bool
	report muster.TaskReport
}

// toEnd begins the job until it is done, or has failed for good.
func (r *run) toEnd(ctx context.Context) error {
	for {
		err := r.place(ctx)
		if err != nil && !errors.Is(err, ErrFailed) {
			return r.since(err)
		}
		r.passOn()
		r.attempt++
		if err == nil {
			err = r.once(ctx)
		}
		if r.elsewhere(ctx, err) {
			r.attempt--
			r.keepFirst(err)
			r.tell(Again, err)
			continue
		}
		switch {
		case err == nil, errors.Is(err, ErrRefused), errors.Is(err, ErrTaken), errors.Is(err, ErrInput), ctx.Err() != nil:
			return r.since(err)
		case r.attempt >= r.desk.opts.Attempts:
			return fmt.Errorf("after %d attempts: %w", r.attempt, r.since(err))
		}
		r.keepFirst(err)
		r.desk.opts.Logger.Warn("attempt failed", "task", r.job.Task, "attempt", r.attempt, "worker", r.worker, "err", err)
		r.tell(Again, err)
	}
}

func (r *run) keepFirst(err error) {
	if r.first == nil {
		r.first = err
	}
}

// since puts the failure of the first attempt before that of the last, which may
// only follow from it.
func (r *run) since(err error) error {
	if err == nil || r.first == nil || r.first.Error() == err.Error() {
		return err
	}
	return fmt.Errorf("first: %w; then: %w", r.first, err)
}

// passOn lets the next job look for a place.
func (r *run) passOn() {
	select {
	case <-r.placed:
	default:
		close(r.placed)
	}
}

// once does the task on the node that it was given.
func (r *run) once(ctx context.Context) error {
	r.desk.began()
	r.mute, r.report = false, muster.TaskReport{}
	r.tell(Running, nil)
	err := r.start(ctx)
	if err == nil {
		r.desk.rest(r.refusals)
		r.report, err = r.follow(ctx)
	}
	if err == nil && r.report.State == muster.TaskFailed {
		err = fmt.Errorf("%w: %s", failure(r.report.Cause), r.report.Error)
	}
	return r.leave(ctx, err)
}

func (r *run) order() muster.TaskOrder {
	return muster.TaskOrder{Room: r.job.room(), Task: r.job.Task, Spec: r.job.Spec, By: r.by, Placement: r.placement.Number}
}

// start tells the node what to do. One that is not on the bus was told by its
// agent, when it was started.
func (r *run) start(ctx context.Context) error {
	for {
		err := r.desk.within(ctx, func(ctx context.Context) error {
			return r.desk.client.StartTask(ctx, r.node, r.order())
		})
		switch {
		case err == nil:
			return nil
		case errors.Is(err, bus.ErrNoServer), errors.Is(err, client.ErrUnsupported):
			r.mute = true
			return nil
		case refusedWith(err, muster.ReasonTaskTaken):
			return r.taken()
		case refusal(err).Cause == muster.CauseWorker:
			return fmt.Errorf("%w: %w", ErrUnfit, reason(err))
		case errors.As(err, new(*bus.RemoteError)):
			return fmt.Errorf("%w: %w", ErrRefused, reason(err))
		case final(err):
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if err := r.lost(ctx); err != nil {
			return err
		}
		if !r.desk.pause(ctx) {
			return context.Cause(ctx)
		}
	}
}

// follow returns the task's last report, or why it is lost. A node answers when
// the task has ended, so that the next one need not wait.
func (r *run) follow(ctx context.Context) (muster.TaskReport, error) {
	for {
		asked := time.Now()
		report, err := r.ask(ctx)
		switch {
		case err == nil && report.State != muster.TaskRunning:
			return report, nil
		case err == nil:
			r.report = report
			r.tell(Running, nil)
		case errors.Is(err, client.ErrNoTask):
			return r.report, fmt.Errorf("%w: %s does not know it any more", ErrLost, r.worker)
		default:
			if err := r.lost(ctx); err != nil {
				return r.report, err
			}
		}
		if !r.desk.pauseSince(ctx, asked) {
			return r.report, context.Cause(ctx)
		}
	}
}

// ask asks the node, or else its agent, how far the task is.
func (r *run) ask(ctx context.Context) (report muster.TaskReport, err error) {
	if !r.mute {
		err = r.desk.within(ctx, func(ctx context.Context) error {
			report, err = r.desk.client.AwaitTask(ctx, r.node, r.job.Task, min(r.desk.opts.Poll, callTime/2))
			return err
		})
		if err == nil {
			return report, nil
		}
	}
	err = r.desk.within(ctx, func(ctx context.Context) error {
		report, err = r.desk.client.QueryTask(ctx, r.worker, r.job.Task)
		return err
	})
	return report, err
}

// lost asks the manager of a task whose worker does not answer.
func (r *run) lost(ctx context.Context) error {
	var worker string
	err := r.desk.within(ctx, func(ctx context.Context) (err error) {
		worker, err = r.desk.client.Scheduled(ctx, r.job.Purpose, r.job.Task)
		return err
	})
	if errors.Is(err, client.ErrNoTask) || err == nil && worker != r.worker {
		return fmt.Errorf("%w: %s is gone", ErrLost, r.worker)
	}
	return nil
}

// leave gives the node and the place back, also when the job was interrupted,
// and returns err, or that the task goes on because another run began it. A
// name that is taken is not this run's to give back; a worker that is gone has
// given all back.
func (r *run) leave(ctx context.Context, err error) error {
	defer r.desk.freed()
	if errors.Is(err, ErrTaken) {
		return err
	}
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if interrupted && !r.owns(ctx) {
		return fmt.Errorf("%w: %w", err, ErrJoined)
	}
	if interrupted && !r.mute {
		_ = r.desk.client.StopTask(ctx, r.node, r.job.Task)
	}
	result := &muster.TaskResult{State: muster.TaskDone, Detail: r.report.Detail}
	if err != nil {
		result.State, result.Error, result.Cause = muster.TaskFailed, err.Error(), r.report.Cause
	}
	if refusedWith(r.recycle(ctx, r.node, result), muster.ReasonNotOwner) {
		return err // it was another's, and is over
	}
	_ = r.desk.client.Release(ctx, r.placement)
	return err
}

// recycle tells the agent that the task is over. It is answered when the
// node has ended.
func (r *run) recycle(ctx context.Context, node string, result *muster.TaskResult) error {
	return r.desk.client.RecycleNode(ctx, r.worker, node, muster.TaskEnd{
		Room: r.job.room(), Task: r.job.Task, Result: result, By: r.by,
	})
}

// owns reports whether the task that runs is the one that this run began. An
// agent that does not know counts for it.
func (r *run) owns(ctx context.Context) bool {
	var report muster.TaskReport
	err := r.desk.within(ctx, func(ctx context.Context) (err error) {
		report, err = r.desk.client.QueryTask(ctx, r.worker, r.job.Task)
		return err
	})
	return err != nil || report.By == "" || report.By == r.by
}

func (r *run) taken() error {
	return fmt.Errorf("%w: %s exists on %s, with another spec or room: stop it first, or choose another name", ErrTaken, r.job.Task, r.worker)
}

func (r *run) tell(phase Phase, err error) {
	r.desk.tell(Update{
		Job: r.job, Phase: phase, Attempt: max(1, r.attempt), Worker: r.worker, Node: r.node, Report: r.report, Err: err,
	})
}

// refusedWith reports whether a worker or a node refused for that reason.
func refusedWith(err error, why muster.Reason) bool {
	var remote *bus.RemoteError
	return errors.As(err, &remote) && remote.Reason == string(why)
}

// reason is a refusal in the words of who refused, with the error that its
// detail has.
func reason(err error) error {
	var remote *bus.RemoteError
	if !errors.As(err, &remote) {
		return err
	}
	if d := detailOf(remote); d.Error != "" {
		return fmt.Errorf("%w: %s", remote, d.Error)
	}
	return remote
}

// detail is what agents say beside a refusal.
type detail struct {
	Node  string `json:"node"`
	Error string `json:"error"`
	// Own: the node was made for the task.
	Own bool `json:"own"`
}

func detailOf(e *bus.RemoteError) (d detail) {
	_ = json.Unmarshal(e.Detail, &d) // most have none
	return d
}

// refusal is what a node says beside its refusal to start.
func refusal(err error) (d muster.TaskRefusal) {
	var remote *bus.RemoteError
	if errors.As(err, &remote) {
		_ = json.Unmarshal(remote.Detail, &d) // other refusals have other details
	}
	return d
}

// errAtWorker is an ErrFailed that lies at the worker.
var errAtWorker = fmt.Errorf("%w", ErrFailed)

// failure is ErrInput where no other attempt helps, else an ErrFailed.
func failure(cause muster.Cause) error {
	switch cause {
	case muster.CauseInput:
		return ErrInput
	case muster.CauseWorker:
		return errAtWorker
	}
	return ErrFailed
}

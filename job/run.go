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
	"github.com/muster-fleet/muster/internal/span"
)

// stopTime is how long the end of an interrupted job may take.
const stopTime = 5 * time.Second

// Run runs one job to its end. If ctx ends first, the task is stopped.
func Run(ctx context.Context, c *client.Client, j Job, opts Options) Outcome {
	return Each(ctx, c, []Job{j}, opts)[0]
}

// run is the run of one job.
type run struct {
	job        Job
	dispatcher *dispatcher
	// before is closed when the previous job was placed, or will not be. placed is
	// the same for this job.
	before, placed chan struct{}

	attempt int
	// refusals are those of workers that could not run the job. excluded are the
	// workers that are not asked again as long as there are others.
	refusals []Refusal
	excluded map[string]bool
	// first is the error of the first attempt.
	first        error
	worker, node string
	// placement is the manager's last answer.
	placement muster.Placement
	// by identifies this run to agents, so that it ends only tasks that it started.
	by string
	// owner is TaskOrder.By of the run that began the task, "" where its agent does not
	// say so.
	owner string
	// awaited is a node that is starting for the task, and was not ready in time.
	awaited string
	// offBus is set if the node is a program that does not answer on the bus.
	offBus bool
	report muster.TaskReport
	// tell hears of changes in the place of Options.OnUpdate; nil of a whole job.
	tell func(Update)
	// parts is set if what the task asks for when it ends is run.
	parts bool
}

// toEnd starts the job, again if necessary, until it is done or has failed for
// good.
func (r *run) toEnd(ctx context.Context) error {
	for {
		err := r.place(ctx)
		if err != nil && !errors.Is(err, ErrFailed) {
			return r.withFirst(err)
		}
		r.releaseNext()
		r.attempt++
		if err == nil {
			err = r.attemptOnce(ctx)
		}
		if r.tryElsewhere(ctx, err) {
			r.attempt--
			r.recordFirst(err)
			r.notify(Again, err)
			continue
		}
		switch {
		case err == nil, errors.Is(err, ErrRefused), errors.Is(err, ErrTaken), errors.Is(err, ErrInput), errors.Is(err, errStopped), ctx.Err() != nil:
			return r.withFirst(err)
		case r.attempt >= r.dispatcher.opts.Attempts:
			return fmt.Errorf("after %d attempts: %w", r.attempt, r.withFirst(err))
		}
		r.recordFirst(err)
		r.dispatcher.opts.Logger.Warn("attempt failed", "task", r.job.Task, "attempt", r.attempt, "worker", r.worker, "err", err)
		r.notify(Again, err)
	}
}

func (r *run) recordFirst(err error) {
	if r.first == nil {
		r.first = err
	}
}

// withFirst adds the error of the first attempt to that of the last, which may
// only be a consequence of it.
func (r *run) withFirst(err error) error {
	if err == nil || r.first == nil || r.first.Error() == err.Error() {
		return err
	}
	return fmt.Errorf("first: %w; then: %w", r.first, err)
}

// releaseNext lets the next job ask for a worker.
func (r *run) releaseNext() {
	select {
	case <-r.placed:
	default:
		close(r.placed)
	}
}

// attemptOnce runs the task on its node.
func (r *run) attemptOnce(ctx context.Context) error {
	r.dispatcher.began()
	r.offBus, r.report, r.owner = false, muster.TaskReport{}, ""
	r.notify(Running, nil)
	err := r.start(ctx)
	if err == nil {
		r.dispatcher.startCooldown(r.refusals)
		r.report, err = r.follow(span.Outside(ctx)) // by many questions
	}
	if err == nil && r.report.State == muster.TaskFailed {
		err = fmt.Errorf("%w: %s", failure(r.report.Cause), r.report.Error)
	}
	return r.leave(ctx, err)
}

func (r *run) order() muster.TaskOrder {
	return muster.TaskOrder{Room: r.job.room(), Task: r.job.Task, Spec: r.job.Spec, By: r.by, Parts: r.parts, Placement: r.placement.Number}
}

// start starts the task on the node. A node that is not on the bus got the task
// from its agent, when it was started.
func (r *run) start(ctx context.Context) error {
	for {
		err := r.dispatcher.within(ctx, func(ctx context.Context) error {
			return r.dispatcher.client.StartTask(ctx, r.node, r.order())
		})
		switch {
		case err == nil:
			return nil
		case errors.Is(err, bus.ErrNoServer), errors.Is(err, client.ErrUnsupported):
			r.offBus = true
			return nil
		case errors.Is(err, muster.ReasonTaskTaken):
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
		if !r.dispatcher.pause(ctx) {
			return context.Cause(ctx)
		}
	}
}

// follow returns the task's last report, or why it is lost. The node answers as
// soon as the task has ended, so that the next job need not wait for a poll.
func (r *run) follow(ctx context.Context) (muster.TaskReport, error) {
	if report, err := r.query(ctx); err == nil {
		r.owner = report.By
	}
	for {
		asked := time.Now()
		report, err := r.ask(ctx)
		switch {
		case err == nil && report.State != muster.TaskRunning:
			return report, nil
		case err == nil:
			r.report = report
			r.notify(Running, nil)
		case errors.Is(err, client.ErrNoTask):
			return r.report, fmt.Errorf("%w: %s no longer knows it", ErrLost, r.worker)
		default:
			if err := r.lost(ctx); err != nil {
				return r.report, err
			}
		}
		if !r.dispatcher.pauseSince(ctx, asked) {
			return r.report, context.Cause(ctx)
		}
	}
}

// ask asks the node, or else its agent, for the task's progress.
func (r *run) ask(ctx context.Context) (report muster.TaskReport, err error) {
	if !r.offBus {
		err = r.dispatcher.within(ctx, func(ctx context.Context) error {
			report, err = r.dispatcher.client.AwaitTask(ctx, r.node, r.job.Task, min(r.dispatcher.opts.Poll, callTime/2))
			return err
		})
		if err == nil {
			return report, nil
		}
	}
	report, err = r.query(ctx)
	if err == nil && report.State != muster.TaskRunning && r.owner != "" && report.By != r.owner {
		return report, client.ErrNoTask // the agent died with it, and remembers an earlier one
	}
	return report, err
}

// query asks the agent for the task.
func (r *run) query(ctx context.Context) (report muster.TaskReport, err error) {
	err = r.dispatcher.within(ctx, func(ctx context.Context) (err error) {
		report, err = r.dispatcher.client.QueryTask(ctx, r.worker, r.job.Task)
		return err
	})
	return report, err
}

// lost asks the manager whether a task whose worker does not answer is lost.
func (r *run) lost(ctx context.Context) error {
	var worker string
	err := r.dispatcher.within(ctx, func(ctx context.Context) (err error) {
		worker, err = r.dispatcher.client.Scheduled(ctx, r.job.Purpose, r.job.Task)
		return err
	})
	if errors.Is(err, client.ErrNoTask) || err == nil && worker != r.worker {
		return fmt.Errorf("%w: %s is gone", ErrLost, r.worker)
	}
	return nil
}

// leave releases the node and the placement, even if the job was interrupted. It
// returns err, or ErrJoined if the task continues because another run started it.
// A task whose name was taken is not this run's to release.
func (r *run) leave(ctx context.Context, err error) error {
	defer r.dispatcher.freed()
	if errors.Is(err, ErrTaken) {
		return err
	}
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if interrupted && !r.owns(ctx) {
		return fmt.Errorf("%w: %w", err, ErrJoined)
	}
	if interrupted && !r.offBus {
		_ = r.dispatcher.client.StopTask(ctx, r.node, r.job.Task)
	}
	result := &muster.TaskResult{State: muster.TaskDone, Detail: r.report.Detail}
	if err != nil {
		result.State, result.Error, result.Cause = muster.TaskFailed, err.Error(), r.report.Cause
	}
	if errors.Is(r.recycle(ctx, r.node, result), muster.ReasonNotOwner) {
		return err // the task belonged to another run, and has ended
	}
	_ = r.dispatcher.client.Release(ctx, r.placement)
	return err
}

// recycle reports the end of the task to the agent, which answers when the node
// has ended.
func (r *run) recycle(ctx context.Context, node string, result *muster.TaskResult) error {
	return r.dispatcher.client.RecycleNode(ctx, r.worker, node, muster.TaskEnd{
		Room: r.job.room(), Task: r.job.Task, Result: result, By: r.by,
	})
}

// owns reports whether this run started the running task. If the agent does not
// know, it did.
func (r *run) owns(ctx context.Context) bool {
	report, err := r.query(ctx)
	return err != nil || report.By == "" || report.By == r.by
}

func (r *run) taken() error {
	return fmt.Errorf("%w: %s exists on %s, with another spec or room: stop it first, or choose another name", ErrTaken, r.job.Task, r.worker)
}

func (r *run) notify(phase Phase, err error) {
	u := Update{Job: r.job, Phase: phase, Attempt: max(1, r.attempt), Worker: r.worker, Node: r.node, Report: r.report, Err: err}
	if r.tell != nil {
		r.tell(u)
		return
	}
	r.dispatcher.notify(u)
}

// reason returns the refusal in err, with the error in its detail.
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

// detail is the detail of an agent's refusal.
type detail struct {
	Node  string `json:"node"`
	Error string `json:"error"`
	// Own is set if the node was started for the task.
	Own bool `json:"own"`
}

func detailOf(e *bus.RemoteError) (d detail) {
	_ = json.Unmarshal(e.Detail, &d) // most have none
	return d
}

// refusal returns the detail of a node's refusal to start a task.
func refusal(err error) (d muster.TaskRefusal) {
	var remote *bus.RemoteError
	if errors.As(err, &remote) {
		_ = json.Unmarshal(remote.Detail, &d) // other refusals have other details
	}
	return d
}

// errAtWorker is an ErrFailed whose cause is the worker.
var errAtWorker = fmt.Errorf("%w", ErrFailed)

// errStopped is an ErrFailed of a task that was stopped: it is not begun again.
var errStopped = fmt.Errorf("%w", ErrFailed)

// failure returns ErrInput if no other attempt helps, else an ErrFailed.
func failure(cause muster.Cause) error {
	switch cause {
	case muster.CauseInput:
		return ErrInput
	case muster.CauseWorker:
		return errAtWorker
	case muster.CauseStopped:
		return errStopped
	}
	return ErrFailed
}

package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/span"
)

// ErrWorkerSilent is wrapped by the error of Stop if the worker that has the task
// does not answer. The task may still run there.
var ErrWorkerSilent = errors.New("the worker that has the task does not answer")

// Begin places a job and starts it, without waiting for its end. It uses only
// Patience and OnUpdate of opts.
func Begin(ctx context.Context, c *client.Client, j Job, opts Options) (worker, node string, err error) {
	ctx, end := span.Begin(ctx, span.Internal, "job", span.Purpose, j.Purpose, span.Task, j.Task)
	defer func() { end(err) }()
	r := newRun(j, newDispatcher(c, opts))
	for {
		if err := r.place(ctx); err != nil {
			return "", "", r.withFirst(err)
		}
		r.dispatcher.began()
		err := r.start(ctx)
		if err == nil {
			r.notify(Running, nil)
			return r.worker, r.node, nil
		}
		if err = r.leave(ctx, err); !r.tryElsewhere(ctx, err) {
			return "", "", r.withFirst(err)
		}
		r.recordFirst(err)
	}
}

// Stop ends a task early, wherever it runs, and releases its placement. For a task
// that was placed but never started it only releases the placement. The error is
// client.ErrNoTask if there is no such task.
func Stop(ctx context.Context, c *client.Client, purpose, task string) (worker, node string, err error) {
	worker, err = c.Scheduled(ctx, purpose, task)
	if err != nil {
		return "", "", err
	}
	report, err := c.QueryTask(ctx, worker, task)
	switch {
	case errors.Is(err, client.ErrNoTask):
		return worker, "", c.Unschedule(ctx, worker, task)
	case errors.Is(err, bus.ErrNoServer), errors.Is(err, context.DeadlineExceeded):
		return worker, "", fmt.Errorf("%w: %w", ErrWorkerSilent, err)
	case err != nil:
		return worker, "", err
	}
	if report.State == muster.TaskRunning {
		if err := end(ctx, c, worker, report); err != nil {
			return worker, report.Node, err
		}
	}
	if err := c.Unschedule(ctx, worker, task); err != nil && !errors.As(err, new(*bus.RemoteError)) {
		return worker, report.Node, err
	}
	return worker, report.Node, nil // a refusal means that it was already released
}

// end stops the task on the node, if the node is on the bus, and reports the end
// to its agent, in the node's words: a recording that is stopped is done, a
// transcoding is not.
func end(ctx context.Context, c *client.Client, worker string, r muster.TaskReport) error {
	err := c.StopTask(ctx, r.Node, r.Task)
	if err != nil && !errors.Is(err, bus.ErrNoServer) && !errors.Is(err, client.ErrUnsupported) && !errors.Is(err, client.ErrNoTask) {
		return err
	}
	result := &muster.TaskResult{State: muster.TaskDone}
	if last, unknown := c.TaskStats(ctx, r.Node, r.Task); unknown == nil && last.State != muster.TaskRunning {
		result = &muster.TaskResult{State: last.State, Error: last.Error, Cause: last.Cause, Detail: last.Detail}
	}
	err = c.RecycleNode(ctx, worker, r.Node, muster.TaskEnd{Room: r.Room, Task: r.Task, Result: result})
	if errors.As(err, new(*bus.RemoteError)) {
		return nil // it has ended meanwhile
	}
	return err
}

package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

// ErrWorkerSilent is what Stop wraps where the worker that has the task does not
// answer: whether the task runs there still is unknown.
var ErrWorkerSilent = errors.New("the worker that has the task does not answer")

// Begin places a job and starts it, and does not wait for its end. Of opts it
// heeds Patience and OnUpdate.
func Begin(ctx context.Context, c *client.Client, j Job, opts Options) (worker, node string, err error) {
	r := newRun(j, newDesk(c, opts))
	for {
		if err := r.place(ctx); err != nil {
			return "", "", r.since(err)
		}
		r.desk.began()
		err := r.start(ctx)
		if err == nil {
			r.tell(Running, nil)
			return r.worker, r.node, nil
		}
		if err = r.leave(ctx, err); !r.elsewhere(ctx, err) {
			return "", "", r.since(err)
		}
		r.keepFirst(err)
	}
}

// Stop ends a task early, wherever it is, and gives its place back. A task
// that is placed but was never begun only loses its place. The error is
// client.ErrNoTask where there is no such task.
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
	return worker, report.Node, nil // a refusal is that it is free already
}

// end tells the node, where it listens, and its agent.
func end(ctx context.Context, c *client.Client, worker string, r muster.TaskReport) error {
	err := c.StopTask(ctx, r.Node, r.Task)
	if err != nil && !errors.Is(err, bus.ErrNoServer) && !errors.Is(err, client.ErrUnsupported) && !errors.Is(err, client.ErrNoTask) {
		return err
	}
	err = c.RecycleNode(ctx, worker, r.Node, muster.TaskEnd{
		Room: r.Room, Task: r.Task, Result: &muster.TaskResult{State: muster.TaskDone},
	})
	if errors.As(err, new(*bus.RemoteError)) {
		return nil // it has ended meanwhile
	}
	return err
}

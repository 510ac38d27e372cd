package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

// reserve is how long a worker is held: until its node is there, and between
// two attempts.
const reserve = 10 * time.Second

// place gets a worker, and a node of it, for the job.
func (r *run) place(ctx context.Context) error {
	p := patience{desk: r.desk, since: time.Now()}
	for {
		err := r.scheduleInTurn(ctx, &p)
		if err != nil {
			return err
		}
		err = r.getNode(ctx)
		if err == nil || errors.Is(err, ErrTaken) || errors.Is(err, ErrRefused) || errors.Is(err, ErrFailed) {
			r.awaited = ""
			return err
		}
		if r.awaited != "" {
			p.since = time.Now() // it has a place; its agent bounds the start
		}
		if err := r.wait(ctx, &p, err); err != nil {
			r.abandon(ctx)
			return err
		}
	}
}

// scheduleInTurn waits for a worker. One job at a time does so, so that a
// thousand that wait ask the manager as little as one.
func (r *run) scheduleInTurn(ctx context.Context, p *patience) error {
	if err := r.desk.turn(ctx); err != nil {
		return err
	}
	defer r.desk.pass()
	for {
		err := r.schedule(ctx)
		if err == nil || errors.Is(err, ErrRefused) {
			return err
		}
		if err := r.wait(ctx, p, err); err != nil {
			return err
		}
	}
}

// wait waits until another try may find a place. Its error is why there will
// be none.
func (r *run) wait(ctx context.Context, p *patience, why error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case p.over():
		return fmt.Errorf("%w within %v: %w", ErrNoPlace, r.desk.opts.Patience, why)
	}
	r.tell(Waiting, why)
	if !r.desk.vacancy(ctx) {
		return context.Cause(ctx)
	}
	return nil
}

// patience is how long a job waits already while nothing else runs: what runs
// will leave a place.
type patience struct {
	desk  *desk
	since time.Time
}

func (p *patience) over() bool {
	if p.desk.busy() {
		p.since = time.Now()
	}
	return time.Since(p.since) > p.desk.opts.Patience
}

func (r *run) schedule(ctx context.Context) error {
	return r.desk.within(ctx, func(ctx context.Context) error {
		placed, err := r.desk.client.Schedule(ctx, client.Request{
			Purpose: r.job.Purpose, Task: r.job.Task, Preference: r.preference(ctx), Reserve: reserve,
		})
		r.worker, r.placement = placed.Worker, placed
		switch {
		case err == nil, errors.Is(err, client.ErrNoWorker), errors.Is(err, client.ErrNoScheduler), errors.Is(err, client.ErrNotReady):
			return err
		case errors.As(err, new(*bus.RemoteError)), final(err):
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return err
	})
}

// final reports whether the broker will never carry what it did not take now.
func final(err error) bool { return errors.Is(err, bus.ErrTooLarge) || errors.Is(err, bus.ErrDenied) }

// The reasons of agents, which are OWT's words.
const (
	invalidTask   muster.Reason = "Invalid task"
	nodeNotReady  muster.Reason = "node not ready"
	earlyRecycled muster.Reason = "node early recycled"
)

// getNode asks the worker for a node. A worker that refuses is given back, so
// that another may be chosen, unless a node starts there for the task; one that
// is not there is still the manager's to give up. ErrFailed is a node that was
// made for the task and ended before it was ready.
func (r *run) getNode(ctx context.Context) error {
	err := r.desk.within(ctx, func(ctx context.Context) (err error) {
		r.node, err = r.desk.client.GetNode(ctx, r.worker, r.order())
		return err
	})
	var remote *bus.RemoteError
	switch {
	case final(err):
		_ = r.desk.client.Unschedule(ctx, r.worker, r.job.Task)
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.Is(err, bus.ErrNoServer):
		return fmt.Errorf("%s is not there, and not given up yet: %w", r.worker, bus.ErrNoServer)
	case !errors.As(err, &remote):
		return err
	case refusedWith(err, muster.ReasonTaskTaken):
		return r.taken()
	case refusedWith(err, nodeNotReady) && detailOf(remote).Node != "":
		r.awaited = detailOf(remote).Node
		return reason(err)
	}
	r.awaited = ""
	_ = r.desk.client.Release(ctx, r.placement)
	switch {
	case refusedWith(err, invalidTask):
		return fmt.Errorf("%w: %w", ErrRefused, reason(err))
	case refusedWith(err, earlyRecycled) && detailOf(remote).Own:
		return fmt.Errorf("%w: %w", ErrFailed, reason(err))
	}
	return reason(err)
}

// abandon gives a node up that starts for the task.
func (r *run) abandon(ctx context.Context) {
	if r.awaited == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	_ = r.recycle(ctx, r.awaited, nil)
	r.awaited = ""
}

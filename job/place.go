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

// reserve is how long a worker is reserved: until its node is ready, and between
// two attempts.
const reserve = 10 * time.Second

// place gets a worker, and one of its nodes, for the job.
func (r *run) place(ctx context.Context) error {
	p := patience{dispatcher: r.dispatcher, since: time.Now()}
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

// scheduleInTurn waits for a worker. Only one job at a time does so: a thousand
// waiting jobs put no more load on the manager than one.
func (r *run) scheduleInTurn(ctx context.Context, p *patience) error {
	if err := r.dispatcher.turn(ctx); err != nil {
		return err
	}
	defer r.dispatcher.endTurn()
	for {
		err := r.dispatcher.turns.outranked()
		if err == nil {
			err = r.schedule(ctx)
		}
		if err == nil || errors.Is(err, ErrRefused) {
			return err
		}
		if err := r.wait(ctx, p, err); err != nil {
			return err
		}
	}
}

// wait waits until another try may find a worker. Its error is why there will be
// no other try.
func (r *run) wait(ctx context.Context, p *patience, why error) error {
	if errors.Is(why, errOutranked) {
		p.since = time.Now() // it waits for others, not for a worker
	} else {
		r.dispatcher.turns.announce(ctx, false)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case p.over():
		return fmt.Errorf("%w within %v: %w", ErrNoPlace, r.dispatcher.opts.Patience, why)
	}
	r.notify(Waiting, why)
	if !r.dispatcher.vacancy(ctx) {
		return context.Cause(ctx)
	}
	return nil
}

// patience measures how long a job has waited while no other job runs. A running
// job would free a worker when it ends.
type patience struct {
	dispatcher *dispatcher
	since      time.Time
}

func (p *patience) over() bool {
	if p.dispatcher.busy() {
		p.since = time.Now()
	}
	return time.Since(p.since) > p.dispatcher.opts.Patience
}

func (r *run) schedule(ctx context.Context) error {
	return r.dispatcher.within(ctx, func(ctx context.Context) error {
		placed, err := r.dispatcher.client.Schedule(ctx, client.Request{
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

// final reports whether the broker will never accept the message.
func final(err error) bool { return errors.Is(err, bus.ErrTooLarge) || errors.Is(err, bus.ErrDenied) }

// getNode asks the worker for a node. If the worker refuses, its placement is
// released so that another may be chosen, unless a node is starting there for the
// task. If the worker is not on the bus, the manager decides when to evict it.
// ErrFailed means that a node was started for the task and ended before it was
// ready.
func (r *run) getNode(ctx context.Context) error {
	err := r.dispatcher.within(ctx, func(ctx context.Context) (err error) {
		order := r.order()
		order.Attempt = r.attempt + 1
		r.node, err = r.dispatcher.client.GetNode(ctx, r.worker, order)
		return err
	})
	var remote *bus.RemoteError
	switch {
	case final(err):
		_ = r.dispatcher.client.Unschedule(ctx, r.worker, r.job.Task)
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.Is(err, bus.ErrNoServer):
		return fmt.Errorf("worker %s does not answer and is not evicted yet: %w", r.worker, bus.ErrNoServer)
	case !errors.As(err, &remote):
		return err
	case errors.Is(err, muster.ReasonTaskTaken):
		return r.taken()
	case errors.Is(err, muster.ReasonNodeNotReady) && detailOf(remote).Node != "":
		r.awaited = detailOf(remote).Node
		return reason(err)
	}
	r.awaited = ""
	_ = r.dispatcher.client.Release(ctx, r.placement)
	switch {
	case errors.Is(err, muster.ReasonInvalidTask):
		return fmt.Errorf("%w: %w", ErrRefused, reason(err))
	case errors.Is(err, muster.ReasonEarlyRecycled) && detailOf(remote).Own:
		return fmt.Errorf("%w: %w", ErrFailed, reason(err))
	}
	return reason(err)
}

// abandon stops a node that is starting for the task.
func (r *run) abandon(ctx context.Context) {
	if r.awaited == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	_ = r.recycle(ctx, r.awaited, nil)
	r.awaited = ""
}

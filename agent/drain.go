package agent

import (
	"context"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker"
)

// reasonDrainEnded is what the callers of tasks get that a drain ended.
const reasonDrainEnded = "the agent is drained, and the deadline has passed"

// drainArg is what a manager says when it drains an agent. Without it an agent is
// drained until it ends.
type drainArg struct {
	// LeaseMillis is for how many milliseconds the agent takes no new tasks,
	// unless the manager asks again.
	LeaseMillis int64 `json:"lease_ms"`
	// End has the agent end the tasks that it runs.
	End bool `json:"end"`
}

// drain answers when the draining has begun.
func (a *Agent) drain(_ context.Context, _ *worker.Worker, r *bus.Request) {
	var arg drainArg
	if len(r.Args) > 0 {
		if err := worker.Decode(r.Args, &arg); err != nil {
			r.Fail(err.Error())
			return
		}
	}
	a.owner.do(func(p *pool, now time.Time) {
		if arg.LeaseMillis > 0 {
			p.drainUntil(now, now.Add(time.Duration(arg.LeaseMillis)*time.Millisecond))
		} else {
			p.drain(now)
		}
		if arg.End {
			p.endAll(now, reasonDrainEnded)
		}
		p.emit(answer{a.owner.keep(untraced(r)), "ok"})
	})
}

// undrain takes tasks again, unless the agent drains in order to end.
func (a *Agent) undrain(_ context.Context, _ *worker.Worker, r *bus.Request) {
	a.owner.do(func(p *pool, now time.Time) {
		p.undrain(now)
		p.emit(answer{a.owner.keep(untraced(r)), "ok"})
	})
}

// drainUntil takes no further tasks until a time, as a manager asked. An agent
// that drains for good goes on to do so.
func (p *pool) drainUntil(now, until time.Time) {
	p.advance(now)
	if p.draining && p.lease.IsZero() {
		return
	}
	p.draining, p.lease = true, until
	p.refuseQueue()
	p.finish()
}

// undrain ends what drainUntil began.
func (p *pool) undrain(now time.Time) {
	p.advance(now)
	if !p.lease.IsZero() {
		p.draining, p.lease = false, time.Time{}
	}
	p.finish()
}

// expireLease ends a drain that the manager did not prolong.
func (p *pool) expireLease() {
	if !p.lease.IsZero() && !p.now.Before(p.lease) {
		p.draining, p.lease = false, time.Time{}
	}
}

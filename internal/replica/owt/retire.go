package owt

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/internal/replica"
)

// retirement is the state of a master that leaves. OWT's protocol has no message
// for that, and none that makes a slave take over at once: slaves notice silence.
// So a master that leaves first stops its heart-beats, answers for as long as all
// slaves still listen as slaves, and then holds calls until another master leads.
//
//	Retire ─▶ stops heart-beats ─▶ 40 ms: stops answering ─▶ another master is heard: Retire returns
type retirement struct {
	asked atomic.Bool
	// hasSlaves is set once a slave has requested the state from this master.
	hasSlaves atomic.Bool

	begun bool
	until time.Duration // when it stops answering

	once      sync.Once
	succeeded chan struct{} // closed when another one leads
}

func newRetirement() retirement { return retirement{succeeded: make(chan struct{})} }

// finished reports whether a master that leaves has stopped answering.
func (t *retirement) finished(now time.Duration) bool { return t.begun && now >= t.until }

// Retire hands the lead over to one of the slaves, and returns when one leads,
// 190 to 330 ms later at OWT's times. The owner goes on as usual meanwhile, and
// the master still answers for the first part of that time. Retire returns at
// once if this manager is not the master, or has no slaves. It may be called from
// any goroutine and cannot be undone: the owner must call Close afterwards.
func (r *Replica) Retire(ctx context.Context) error {
	t := &r.retiring
	if !r.leads.Load() || !t.hasSlaves.Load() {
		return nil
	}
	t.asked.Store(true)
	r.wake()
	select {
	case <-t.succeeded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("owt: no other manager has taken over: %w", ctx.Err())
	}
}

// retire carries out a request of Retire on the owner's goroutine.
func (r *Replica) retire() {
	t := &r.retiring
	switch {
	case !t.asked.Load():
	case !t.begun:
		// The last heart-beat may be as old as the interval between two of them, and
		// a slave that has heard none for Misses checks is about to stand for election.
		timing := r.opts.Timing
		t.begun, t.until = true, r.clock()+time.Duration(timing.Misses)*timing.Check-timing.Heartbeat
		r.log.Info("leaving as master: a slave takes over")
	case r.role.Kind == replica.Follower:
		// The owner has acted on that role since: the held calls were passed on.
		t.once.Do(func() { close(t.succeeded) })
	}
}

package owt

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/internal/replica"
)

// retirement is how a master leaves. OWT's protocol has no word for it, and no
// message that makes a slave take over at once: slaves notice silence. So a
// master that leaves falls silent first, goes on answering as long as all slaves
// still listen as slaves, and then holds what it is asked until another one
// leads.
//
//	Retire ─▶ no heart-beat any more ─▶ 40 ms: answers no more ─▶ another master is heard: Retire returns
type retirement struct {
	asked atomic.Bool
	// heirs tells that a slave has asked this master for the state.
	heirs atomic.Bool

	begun bool
	until time.Duration // when it answers no more

	once      sync.Once
	succeeded chan struct{} // closed when another one leads
}

func newRetirement() retirement { return retirement{succeeded: make(chan struct{})} }

// over tells whether a master that leaves answers no more.
func (t *retirement) over(now time.Duration) bool { return t.begun && now >= t.until }

// Retire makes a master give way to one of its slaves, and returns when one
// leads: 190 to 330 ms later at OWT's times. Meanwhile the owner goes on as ever;
// for the first part of that time the master still answers. It returns at once
// where this manager is not the master, or has no slaves. Close comes next, in
// any case: it may be called from any goroutine, and cannot be taken back.
func (r *Replica) Retire(ctx context.Context) error {
	t := &r.retiring
	if !r.leads.Load() || !t.heirs.Load() {
		return nil
	}
	t.asked.Store(true)
	r.ring()
	select {
	case <-t.succeeded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("owt: no other manager has taken over: %w", ctx.Err())
	}
}

// retire does what Retire asks for.
func (r *Replica) retire() {
	t := &r.retiring
	switch {
	case !t.asked.Load():
	case !t.begun:
		// The last heart-beat may be as old as the time between two of them, and a
		// slave that has heard none for Misses checks is about to stand for election.
		timing := r.opts.Timing
		t.begun, t.until = true, r.clock()+time.Duration(timing.Misses)*timing.Check-timing.Heartbeat
		r.log.Info("this master leaves: a slave takes over")
	case r.role.Kind == replica.Follower:
		// Its owner has acted on that role since: what it held is handed on.
		t.once.Do(func() { close(t.succeeded) })
	}
}

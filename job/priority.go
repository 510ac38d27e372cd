package job

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muster-fleet/muster/client"
)

// Priorities of batches; the usual one is 0.
const (
	LowestPriority  = -100
	HighestPriority = 100
)

// holdTime is how long a notice of a batch that waits counts: a batch repeats it
// whenever it asks for a worker in vain, which takes up to callTime, and then pauses
// for up to retryTime.
const holdTime = callTime + 2*retryTime

// turns lets batches of higher priority have the next worker. They tell each other
// on the bus that they wait, and know of each other only by that.
type turns struct {
	own int
	// tell publishes that this batch waits, or no longer does.
	tell func(ctx context.Context, over bool) error

	mu sync.Mutex
	// told is set while others hold back for this batch; silent where the queue does
	// not let it tell them.
	told, silent bool
	// waiting is until when the batches of a higher priority count as waiting.
	waiting map[int]time.Time
}

// errOutranked is why a batch does not ask for a worker.
var errOutranked = errors.New("goes first")

// listen makes a dispatcher heed the batches of a purpose. A queue that does not
// allow it leaves all batches equal.
func (d *dispatcher) listen(ctx context.Context, purpose string) (stop func()) {
	t := &turns{own: d.opts.Priority, waiting: map[int]time.Time{}}
	end, err := d.client.WatchWaiting(ctx, purpose, t.hear)
	if err != nil {
		d.opts.Logger.Debug("priorities do not hold", "err", err)
		return func() {}
	}
	t.tell = func(ctx context.Context, over bool) error {
		return d.client.TellWaiting(ctx, client.Waiting{Purpose: purpose, Priority: t.own, Over: over})
	}
	d.turns = t
	return func() { _ = end() }
}

func (t *turns) hear(w client.Waiting) {
	if w.Priority <= t.own || w.Priority > HighestPriority {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.Over {
		delete(t.waiting, w.Priority) // another batch of this priority says so again
	} else {
		t.waiting[w.Priority] = time.Now().Add(holdTime)
	}
}

// outranked is an error while a batch of a higher priority waits.
func (t *turns) outranked() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for priority, until := range t.waiting {
		if time.Now().Before(until) {
			return fmt.Errorf("a batch of priority %d %w", priority, errOutranked)
		}
		delete(t.waiting, priority)
	}
	return nil
}

// announce tells other batches that this one waits, or, if it has told them so, that
// it no longer does.
func (t *turns) announce(ctx context.Context, over bool) {
	if t == nil {
		return
	}
	t.mu.Lock()
	useless := t.silent || over && !t.told
	t.told = !over
	t.mu.Unlock()
	if useless {
		return
	}
	if err := t.tell(ctx, over); err != nil && final(err) {
		t.mu.Lock()
		t.silent = true
		t.mu.Unlock()
	}
}

// Package mailbox hands things from any goroutine to one that waits for them.
package mailbox

import (
	"context"
	"math"
	"sync"
)

// Signal wakes one goroutine. Raising it again before that goroutine has woken
// changes nothing.
type Signal chan struct{}

// NewSignal returns a Signal that is not raised.
func NewSignal() Signal { return make(Signal, 1) }

// Raise never blocks.
func (s Signal) Raise() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// Follow calls f each time that the signal was raised, until ctx ends.
func (s Signal) Follow(ctx context.Context, f func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s:
		}
		f()
	}
}

// Box is a queue of items for one goroutine. Putting items in never blocks.
type Box[T any] struct {
	ready Signal
	most  int

	mu      sync.Mutex
	waiting []T
	dropped uint64
}

// New returns an empty Box without a limit.
func New[T any]() *Box[T] { return Bounded[T](math.MaxInt) }

// Bounded returns an empty Box that holds so many items, and drops more.
func Bounded[T any](most int) *Box[T] { return &Box[T]{ready: NewSignal(), most: most} }

// Put adds items. It never blocks.
func (b *Box[T]) Put(items ...T) {
	if len(items) == 0 {
		return
	}
	b.mu.Lock()
	room := min(len(items), b.most-len(b.waiting))
	b.waiting = append(b.waiting, items[:room]...)
	b.dropped += uint64(len(items) - room)
	b.mu.Unlock()
	b.ready.Raise()
}

// Dropped counts the items for which there was no room.
func (b *Box[T]) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Take returns and removes all items. The slice belongs to the caller.
func (b *Box[T]) Take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.waiting
	b.waiting = make([]T, 0, len(out))
	return out
}

// Ready is raised whenever items wait, and sometimes when none do.
func (b *Box[T]) Ready() Signal { return b.ready }

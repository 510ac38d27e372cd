// Package mailbox hands things from any goroutine to one that waits for them.
package mailbox

import "sync"

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

// Box is a queue without a limit: who puts something in neither waits nor loses
// it.
type Box[T any] struct {
	ready Signal

	mu      sync.Mutex
	waiting []T
}

// New returns an empty Box.
func New[T any]() *Box[T] { return &Box[T]{ready: NewSignal()} }

// Put adds items. It never blocks.
func (b *Box[T]) Put(items ...T) {
	if len(items) == 0 {
		return
	}
	b.mu.Lock()
	b.waiting = append(b.waiting, items...)
	b.mu.Unlock()
	b.ready.Raise()
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

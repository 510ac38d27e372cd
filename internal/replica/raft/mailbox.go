package raft

import "sync"

// mailbox hands things from one goroutine to another, which takes all that
// wait at once. It has no limit: who puts is never stopped.
type mailbox[T any] struct {
	// ready holds a token whenever something waits.
	ready chan struct{}

	mu      sync.Mutex
	waiting []T
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{ready: make(chan struct{}, 1)} }

func (b *mailbox[T]) put(items ...T) {
	if len(items) == 0 {
		return
	}
	b.mu.Lock()
	b.waiting = append(b.waiting, items...)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns what waits. It is the caller's.
func (b *mailbox[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.waiting
	b.waiting = make([]T, 0, len(out))
	return out
}

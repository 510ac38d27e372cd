package raft

import "sync"

// mailbox is an unbounded queue between goroutines. put never blocks, and take
// returns everything that waits.
type mailbox[T any] struct {
	// ready has a token whenever items wait.
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

// take returns and removes all items. The slice belongs to the caller.
func (b *mailbox[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.waiting
	b.waiting = make([]T, 0, len(out))
	return out
}

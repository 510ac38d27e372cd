package agent

import "sync"

// inbox hands things from any goroutine to one. It has no limit: whoever puts
// something in, a node's end or a request that has an answer within its time,
// must neither wait nor be lost.
type inbox[T any] struct {
	mu      sync.Mutex
	waiting []T
	// more has an element when something waits.
	more chan struct{}
}

func newInbox[T any]() *inbox[T] { return &inbox[T]{more: make(chan struct{}, 1)} }

func (i *inbox[T]) push(what T) {
	i.mu.Lock()
	i.waiting = append(i.waiting, what)
	i.mu.Unlock()
	select {
	case i.more <- struct{}{}:
	default:
	}
}

func (i *inbox[T]) take() []T {
	i.mu.Lock()
	defer i.mu.Unlock()
	taken := i.waiting
	i.waiting = nil
	return taken
}

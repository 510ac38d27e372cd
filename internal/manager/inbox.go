package manager

import (
	"sync"

	"github.com/muster-fleet/muster/bus"
)

// maxWaiting is how many requests may wait. More of them could not be answered
// within the time that callers wait anyway.
const maxWaiting = 1 << 16

// item is a request that was understood and waits to be done.
type item struct {
	act action
	req *bus.Request
}

// inbox is where requests wait for the goroutine that owns the state, which
// takes all of them at once.
type inbox struct {
	// ready holds a token whenever something waits.
	ready chan struct{}

	mu      sync.Mutex
	waiting []item
	spare   []item
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// put adds a request, and reports false when too many wait.
func (b *inbox) put(it item) bool {
	b.mu.Lock()
	full := len(b.waiting) >= maxWaiting
	if !full {
		b.waiting = append(b.waiting, it)
	}
	b.mu.Unlock()
	if full {
		return false
	}
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return true
}

// take returns what waits, valid until the next take.
func (b *inbox) take() []item {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.waiting
	clear(b.spare)
	b.waiting = b.spare[:0]
	b.spare = out
	return out
}

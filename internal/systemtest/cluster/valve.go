package cluster

import (
	"context"
	"sync"
)

// valve is the network of one manager: while it is shut, nothing passes, and
// neither end notices, as with a cable that is cut.
type valve struct {
	mu   sync.Mutex
	open chan struct{} // closed while it is open
}

func newValve() *valve {
	v := &valve{open: make(chan struct{})}
	close(v.open)
	return v
}

// turn opens or shuts it.
func (v *valve) turn(open bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.open:
		if !open {
			v.open = make(chan struct{})
		}
	default:
		if open {
			close(v.open)
		}
	}
}

// pass waits until it is open, and reports whether ctx lasted that long.
func (v *valve) pass(ctx context.Context) bool {
	v.mu.Lock()
	open := v.open
	v.mu.Unlock()
	select {
	case <-open:
		return true
	case <-ctx.Done():
		return false
	}
}

// passAll waits for one after the other; one of them may shut again meanwhile,
// which lets through what was on its way.
func passAll(ctx context.Context, valves []*valve) bool {
	for _, v := range valves {
		if !v.pass(ctx) {
			return false
		}
	}
	return true
}

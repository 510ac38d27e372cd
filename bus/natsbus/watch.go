package natsbus

import (
	"sync"

	"github.com/muster-fleet/muster/bus"
)

// watchers notifies functions of each change of the connection.
type watchers struct {
	// notifying is held during notification, to keep the order.
	notifying sync.Mutex

	mu     sync.Mutex
	status bus.Status
	next   int
	all    map[int]func(bus.Status)
}

// add calls f with the current status, and from now on with each change.
func (w *watchers) add(f func(bus.Status)) (stop func()) {
	w.notifying.Lock()
	defer w.notifying.Unlock()
	w.mu.Lock()
	id, now := w.next, w.status
	w.next++
	if w.all == nil {
		w.all = map[int]func(bus.Status){}
	}
	w.all[id] = f
	w.mu.Unlock()
	f(now)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, id)
	}
}

// set notifies of a change. A different reason for being disconnected is none.
func (w *watchers) set(s bus.Status) {
	w.notifying.Lock()
	defer w.notifying.Unlock()
	for _, f := range w.change(s) {
		f(s)
	}
}

func (w *watchers) change(s bus.Status) []func(bus.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	same := s.Connected == w.status.Connected && s.Err != bus.ErrClosed
	w.status = s
	if same {
		return nil
	}
	var all []func(bus.Status)
	for _, f := range w.all {
		all = append(all, f)
	}
	return all
}

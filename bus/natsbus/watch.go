package natsbus

import (
	"sync"

	"github.com/muster-fleet/muster/bus"
)

// watchers are told each change of the connection.
type watchers struct {
	// tell is held while they are told, so that each hears all in order.
	notifying sync.Mutex

	mu     sync.Mutex
	status bus.Status
	next   int
	all    map[int]func(bus.Status)
}

// add tells f how it stands, and from now on each change.
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

// set tells a change. Why it is not connected does not count as one.
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

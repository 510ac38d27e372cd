// Package watchers notifies functions of the status of a connection: what
// bus.Conn.Watch promises.
package watchers

import (
	"maps"
	"slices"
	"sync"

	"github.com/muster-fleet/muster/bus"
)

// Watchers have the status of a connection, and notify functions of each change,
// in order. The zero value is not connected.
type Watchers struct {
	notifying sync.Mutex // held while the status changes and all are notified

	mu   sync.Mutex
	now  bus.Status
	next int
	all  map[int]func(bus.Status)
}

// Set changes the status.
func (w *Watchers) Set(s bus.Status) { w.Update(func(bus.Status) bus.Status { return s }) }

// Update changes the status to one that depends on the current one.
func (w *Watchers) Update(f func(bus.Status) bus.Status) {
	w.notifying.Lock()
	defer w.notifying.Unlock()
	w.mu.Lock()
	was := w.now
	w.now = f(was)
	now := w.now
	var all []func(bus.Status)
	if isChange(was, now) {
		for _, id := range slices.Sorted(maps.Keys(w.all)) {
			all = append(all, w.all[id])
		}
	}
	w.mu.Unlock()
	for _, f := range all {
		f(now)
	}
}

// isChange reports whether watchers hear of it: a different reason for being
// disconnected is none, unless it is that the connection was closed here.
func isChange(was, now bus.Status) bool {
	return was.Connected != now.Connected || was.Blocked != now.Blocked || (was.Err == bus.ErrClosed) != (now.Err == bus.ErrClosed)
}

// Add calls f with the current status, and from now on with each change.
func (w *Watchers) Add(f func(bus.Status)) (stop func()) {
	w.notifying.Lock()
	defer w.notifying.Unlock()
	w.mu.Lock()
	if w.all == nil {
		w.all = map[int]func(bus.Status){}
	}
	id, now := w.next, w.now
	w.next++
	w.all[id] = f
	w.mu.Unlock()
	f(now)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, id)
	}
}

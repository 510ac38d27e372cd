package amqpbus

import (
	"sync"

	"github.com/muster-fleet/muster/bus"
)

// watchers notifies functions of each change of the status, in order.
type watchers struct {
	updating  sync.Mutex // held while the status is read and changed
	notifying sync.Mutex // held during notification, to keep the order

	mu   sync.Mutex
	now  bus.Status
	next int
	fs   map[int]func(bus.Status)
}

func (w *watchers) set(s bus.Status) {
	w.updating.Lock()
	defer w.updating.Unlock()
	w.put(s)
}

func (w *watchers) put(s bus.Status) {
	w.notifying.Lock()
	defer w.notifying.Unlock()
	w.mu.Lock()
	changed := w.now.Connected != s.Connected || w.now.Blocked != s.Blocked || text(w.now.Err) != text(s.Err)
	w.now = s
	var fs []func(bus.Status)
	for i := range w.next {
		if f, ok := w.fs[i]; ok && changed {
			fs = append(fs, f)
		}
	}
	w.mu.Unlock()
	for _, f := range fs {
		f(s)
	}
}

// update sets a status that depends on the current one.
func (w *watchers) update(f func(bus.Status) bus.Status) {
	w.updating.Lock()
	defer w.updating.Unlock()
	w.mu.Lock()
	s := f(w.now)
	w.mu.Unlock()
	w.put(s)
}

func (w *watchers) add(f func(bus.Status)) (stop func()) {
	w.notifying.Lock()
	defer w.notifying.Unlock()
	w.mu.Lock()
	if w.fs == nil {
		w.fs = map[int]func(bus.Status){}
	}
	id, now := w.next, w.now
	w.next++
	w.fs[id] = f
	w.mu.Unlock()
	f(now)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fs, id)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

package worker

import (
	"context"
	"errors"
	"sync"
)

// happened logs what happened, and lets the callback run.
func (w *Worker) happened(event action) {
	o, log := &w.opts, w.opts.Logger
	switch e := event.(type) {
	case happenedJoined:
		close(w.joinedOnce)
		log.Info("joined", "cluster", o.Cluster)
		tell(w, o.OnJoined)
	case happenedLost:
		log.Warn("contact to the manager lost", "cluster", o.Cluster, "err", e.why)
		tellWith(w, o.OnLost, e.why)
	case happenedRecovered:
		log.Info("contact to the manager restored", "cluster", o.Cluster)
		tell(w, o.OnRecovered)
	case happenedDropped:
		log.Warn("tasks dropped: the manager has given them up", "tasks", e.tasks)
		w.events.push(func() { w.drop(e.tasks) })
	case happenedOverloaded:
		log.Info("overload", "overloaded", e.overloaded)
		tellWith(w, o.OnOverload, e.overloaded)
	}
}

// drop has the program end tasks, whose slots are free then.
func (w *Worker) drop(tasks []string) {
	if w.opts.OnTasksDropped != nil {
		w.opts.OnTasksDropped(w, tasks)
	}
	w.do(func(m *machine) { m.dropping -= len(tasks) })
}

func tell(w *Worker, callback func(*Worker)) {
	if callback != nil {
		w.events.push(func() { callback(w) })
	}
}

func tellWith[T any](w *Worker, callback func(*Worker, T), what T) {
	if callback != nil {
		w.events.push(func() { callback(w, what) })
	}
}

// queue runs functions one after another. It has no limit: events are rare,
// and none may be lost or hold up the protocol.
type queue struct {
	mu      sync.Mutex
	waiting []func()
	more    chan struct{}
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

func (q *queue) push(f func()) {
	q.mu.Lock()
	q.waiting = append(q.waiting, f)
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *queue) take() []func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.waiting
	q.waiting = nil
	return taken
}

// last runs what waits when the worker has ended: tasks to be ended because it
// was replaced must not be lost.
func (q *queue) last(ctx context.Context) {
	if errors.Is(context.Cause(ctx), ErrReplaced) {
		for _, f := range q.take() {
			f()
		}
	}
}

// run is a goroutine of the Worker's.
func (q *queue) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			q.last(ctx)
			return
		case <-q.more:
		}
		for _, f := range q.take() {
			if ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrReplaced) {
				return
			}
			f()
		}
	}
}

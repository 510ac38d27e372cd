package worker

import (
	"context"
	"errors"
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
		w.events.Put(func() { w.drop(e.tasks) })
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
		w.events.Put(func() { callback(w) })
	}
}

func tellWith[T any](w *Worker, callback func(*Worker, T), what T) {
	if callback != nil {
		w.events.Put(func() { callback(w, what) })
	}
}

// runEvents is the goroutine that runs the callbacks, one after another.
func (w *Worker) runEvents(ctx context.Context) {
	run := func() {
		for _, f := range w.events.Take() {
			// A worker that was replaced still has to end its tasks.
			if ctx.Err() == nil || errors.Is(context.Cause(ctx), ErrReplaced) {
				f()
			}
		}
	}
	w.events.Ready().Follow(ctx, run)
	run()
}

package peers

import (
	"context"
	"sync"
)

// view is what one caller knows of the workers: how many tasks each has, and
// the revision at which it knows that. It is fed by a watch, and by the
// caller's own claims. One claim at a time goes to a worker: a second one of
// the same revision is sure to fail.
type view struct {
	mu      sync.Mutex
	free    sync.Cond
	workers []*seen
	byKey   map[string]*seen
}

// seen is a worker as a caller knows it.
type seen struct {
	key      string
	tasks    int64
	revision int64
	claimed  bool
}

func newView(keys []string) *view {
	v := &view{byKey: make(map[string]*seen, len(keys))}
	v.free.L = &v.mu
	for _, key := range keys {
		w := &seen{key: key}
		v.workers = append(v.workers, w)
		v.byKey[key] = w
	}
	return v
}

// pick returns the worker with the fewest tasks among those without a pending claim
// of this caller. It waits until there is one.
func (v *view) pick(ctx context.Context) (seen, error) {
	stop := context.AfterFunc(ctx, v.free.Broadcast)
	defer stop()
	v.mu.Lock()
	defer v.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return seen{}, err
		}
		var best *seen
		for _, w := range v.workers {
			if !w.claimed && (best == nil || w.tasks < best.tasks) {
				best = w
			}
		}
		if best != nil {
			best.claimed = true
			return *best, nil
		}
		v.free.Wait()
	}
}

// learn records a newer revision.
func (v *view) learn(key string, tasks, revision int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if w := v.byKey[key]; w != nil && revision > w.revision {
		w.tasks, w.revision = tasks, revision
	}
}

// release ends a claim.
func (v *view) release(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.byKey[key].claimed = false
	v.free.Signal()
}

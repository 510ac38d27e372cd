package job_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/node"
)

// A batch of higher priority has the next worker, although the other one began
// before it and waits as well. What runs is not stopped.
func TestABatchOfHigherPriorityGoesFirst(t *testing.T) {
	f := newFleet(t)
	var mu sync.Mutex
	var begun []string
	next := make(chan struct{})
	f.agent("video-1", 1, work(func(ctx context.Context, t *node.Task) error {
		mu.Lock()
		begun = append(begun, t.Name)
		mu.Unlock()
		select {
		case <-next:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	batch := func(name string, priority, tasks int, onUpdate func(job.Update)) <-chan []job.Outcome {
		jobs := make([]job.Job, tasks)
		for i := range jobs {
			jobs[i] = one(fmt.Sprint(name, "-", i))
		}
		ended := make(chan []job.Outcome, 1)
		go func() {
			ended <- job.Each(f.ctx, f.client, jobs, quick(job.Options{Priority: priority, OnUpdate: onUpdate}))
		}()
		return ended
	}
	waiting, outranked := make(chan struct{}, 1), make(chan struct{}, 1)
	signal := func(c chan struct{}) {
		select {
		case c <- struct{}{}:
		default:
		}
	}
	low := batch("low", 0, 3, func(u job.Update) {
		switch {
		case u.Phase != job.Waiting:
		case strings.Contains(u.Err.Error(), "a batch of priority 5 goes first"):
			signal(outranked)
		default:
			signal(waiting)
		}
	})
	<-waiting
	high := batch("high", 5, 2, nil)
	<-outranked
	for range 5 {
		next <- struct{}{}
	}
	for _, out := range append(<-low, <-high...) {
		if out.Err != nil {
			t.Errorf("%s: %v", out.Job.Task, out.Err)
		}
	}
	if want := []string{"low-0", "high-0", "high-1", "low-1", "low-2"}; !slices.Equal(begun, want) {
		t.Errorf("begun in the order %q, not %q", begun, want)
	}
	f.nothingLeft()
}

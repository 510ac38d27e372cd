package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// The bounds of the feed. They keep what it costs independent of how much happens.
const (
	feedEvery  = 100 * time.Millisecond // the time between two batches
	feedBeat   = time.Second            // the longest time between two batches
	feedEvents = 256                    // events in a batch; more are counted
	feedLoads  = 4096                   // loads in a batch
)

// feed publishes what happens, for those who watch. The owner of the state puts events
// in and never waits; a goroutine publishes them, several times a second, while this
// manager leads. What cannot be published is dropped: listeners see the gap in the
// numbers.
type feed struct {
	conn    bus.Conn
	cluster string
	log     *slog.Logger
	wake    mailbox.Signal // an event waits

	// full: no event finds room before the next batch, or this manager does not
	// lead.
	full atomic.Bool

	mu    sync.Mutex
	batch muster.FeedBatch
	next  uint64 // the number of the next event
	leads bool
}

func newFeed(conn bus.Conn, cluster string, log *slog.Logger) *feed {
	return &feed{conn: conn, cluster: cluster, log: log, wake: mailbox.NewSignal()}
}

// follow begins a run of numbers with each term that this manager leads in.
func (f *feed) follow(role replica.Role, now muster.Instant) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leads = role.Kind == replica.Leader
	f.full.Store(!f.leads)
	if !f.leads {
		f.batch = muster.FeedBatch{}
		return
	}
	f.next = 1
	f.batch = muster.FeedBatch{Cluster: f.cluster, Feed: fmt.Sprintf("%d.%x", role.Term, int64(now)), First: 1, Term: role.Term}
	f.put(muster.FeedEvent{Type: muster.FeedLeader, Holder: role.Leader})
	f.wake.Raise()
}

// put adds an event where there is room. The caller has the lock.
func (f *feed) put(e muster.FeedEvent) {
	if len(f.batch.Events) >= feedEvents {
		f.batch.Skipped++
		return
	}
	f.batch.Events = append(f.batch.Events, e)
	f.next++
	f.full.Store(len(f.batch.Events) >= feedEvents)
}

// wantsTasks reports whether an event of a task would find room. While it would
// not, none needs to be made.
func (f *feed) wantsTasks() bool { return f != nil && !f.full.Load() }

// skip counts events that were not made.
func (f *feed) skip(n int) {
	if f == nil || n == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batch.Skipped += n
	f.wake.Raise()
}

// observe adds what a command did. purposeOf is the purpose of a worker: who watches one
// purpose wants all that happens to its workers.
func (f *feed) observe(events []muster.Event, purposeOf func(worker string) (string, bool)) {
	if f == nil || len(events) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.leads {
		return
	}
	for _, e := range events {
		if load, ok := e.(muster.WorkerLoadChanged); ok {
			f.load(load)
		} else if _, ok := e.(muster.DrainTrimmed); ok {
			continue // only what the state remembers of those that left changes
		} else if len(f.batch.Events) >= feedEvents {
			f.batch.Skipped++
		} else {
			out := feedEvent(e)
			if out.Worker != "" && out.Purpose == "" {
				out.Purpose, _ = purposeOf(out.Worker)
			}
			f.put(out)
		}
	}
	f.wake.Raise()
}

func (f *feed) load(e muster.WorkerLoadChanged) {
	if f.batch.Loads == nil {
		f.batch.Loads = map[string]float64{}
	}
	if _, there := f.batch.Loads[e.Worker]; there || len(f.batch.Loads) < feedLoads {
		f.batch.Loads[e.Worker] = e.Load
	}
}

// decided counts an answer to schedule, and adds a refusal.
func (f *feed) decided(op state.Schedule, result state.Result) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.leads {
		return
	}
	if result.Err == nil {
		f.batch.Placed++
		return
	}
	f.batch.Refused++
	e := muster.FeedEvent{Type: muster.FeedTaskRefused, Purpose: op.Purpose, Task: op.Task, Reason: result.Err.Error()}
	if why := result.Explanation; why != nil {
		excluded := why.Excluded
		e.Workers, e.Excluded = why.Workers, &excluded
	}
	f.put(e)
	f.wake.Raise()
}

// feedEvent is an event as it is published.
func feedEvent(e muster.Event) muster.FeedEvent {
	switch e := e.(type) {
	case muster.WorkerJoined:
		return muster.FeedEvent{Type: muster.FeedWorkerJoined, Purpose: e.Purpose, Worker: e.Worker}
	case muster.WorkerLeft:
		return muster.FeedEvent{Type: muster.FeedWorkerLeft, Purpose: e.Purpose, Worker: e.Worker, Reason: string(e.Reason)}
	case muster.WorkerStateChanged:
		return muster.FeedEvent{Type: muster.FeedWorkerState, Worker: e.Worker, State: e.State.String()}
	case muster.TaskReserved:
		return muster.FeedEvent{Type: muster.FeedTaskPlaced, Purpose: e.Purpose, Task: e.Task, Worker: e.Worker, Placement: e.Placement, Until: e.Until}
	case muster.TaskPickedUp:
		return muster.FeedEvent{Type: muster.FeedTaskRunning, Purpose: e.Purpose, Task: e.Task, Worker: e.Worker, Placement: e.Placement}
	case muster.TaskClaimed:
		return muster.FeedEvent{Type: muster.FeedTaskClaimed, Purpose: e.Purpose, Task: e.Task, Worker: e.Worker}
	case muster.TaskLaidDown:
		return muster.FeedEvent{Type: muster.FeedTaskLaidDown, Purpose: e.Purpose, Task: e.Task, Worker: e.Worker, Until: e.Until}
	case muster.TaskReleased:
		return muster.FeedEvent{Type: muster.FeedTaskReleased, Purpose: e.Purpose, Task: e.Task, Worker: e.Worker, Reason: string(e.Reason)}
	case muster.TaskRefused:
		return muster.FeedEvent{Type: muster.FeedPickUpRefused, Purpose: e.Purpose, Task: e.Task, Worker: e.Worker, Holder: e.Holder}
	case muster.PurposeForgotten:
		return muster.FeedEvent{Type: muster.FeedPurposeForgot, Purpose: e.Purpose}
	}
	return orderEvent(e)
}

// take returns the batch, and begins the next one; false where this manager does not
// lead.
func (f *feed) take(now muster.Instant) (muster.FeedBatch, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.leads {
		return muster.FeedBatch{}, false
	}
	out := f.batch
	out.At = now
	f.full.Store(false)
	f.batch = muster.FeedBatch{Cluster: out.Cluster, Feed: out.Feed, First: f.next, Term: out.Term}
	return out, true
}

// run publishes batches until ctx ends.
func (f *feed) run(ctx context.Context) {
	beat := time.NewTicker(feedBeat)
	defer beat.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-beat.C:
		}
		batch, leads := f.take(muster.InstantOf(time.Now()))
		if !leads {
			continue
		}
		err := f.publish(ctx, batch)
		if err != nil && !failed && !errors.Is(err, context.Canceled) {
			f.log.Debug("events not published", "err", err)
		}
		failed = err != nil
		if !pause.For(ctx, feedEvery) {
			return
		}
	}
}

func (f *feed) publish(ctx context.Context, batch muster.FeedBatch) error {
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	return f.conn.Publish(ctx, bus.TopicEvents, bus.KeyFeed, batch)
}

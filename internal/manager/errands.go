package manager

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

const (
	// recycleTime bounds how long an OWT agent has to answer.
	recycleTime = 2 * time.Second
	// maxRecycling is how many refused pick-ups are dealt with at once. More
	// of them are only logged.
	maxRecycling = 16
	// agentTime bounds a call of an agent that is drained.
	agentTime = 2 * time.Second
	// maxDrainCalls is how many agents are called at once.
	maxDrainCalls = 32
)

// errands are the calls and notices that a core asks for and does not wait for,
// each on a goroutine of its own.
type errands struct {
	conn    bus.Conn
	log     *slog.Logger
	running sync.WaitGroup
	// A slot is free for each errand of a kind that may run beside the others.
	agents, recycles chan struct{}
}

func newErrands(conn bus.Conn, log *slog.Logger) *errands {
	return &errands{conn: conn, log: log, agents: make(chan struct{}, maxDrainCalls), recycles: make(chan struct{}, maxRecycling)}
}

// async runs f beside the steps.
func (e *errands) async(f func()) { e.running.Go(f) }

// within runs f if there is a free slot, and reports whether there is.
func (e *errands) within(slots chan struct{}, f func()) bool {
	select {
	case slots <- struct{}{}:
	default:
		return false
	}
	e.async(func() {
		defer func() { <-slots }()
		f()
	})
	return true
}

// callAgent calls an agent.
func (e *errands) callAgent(worker, method string, args ...any) bool {
	return e.within(e.agents, func() {
		ctx, cancel := context.WithTimeout(context.Background(), agentTime)
		defer cancel()
		_, err := e.conn.Call(ctx, worker, method, args...)
		if refused := (*bus.RemoteError)(nil); err != nil && !errors.As(err, &refused) {
			e.log.Warn("agent did not answer, calling it again later", "worker", worker, "method", method, "err", err)
		}
	})
}

// handBack publishes notices, and ends the tasks that agents of OWT run.
func (e *errands) handBack(notices []HandBack, owt []state.DrainTask) {
	e.async(func() {
		ctx, cancel := context.WithTimeout(context.Background(), noticeEvery)
		defer cancel()
		for _, n := range notices {
			if err := e.conn.Publish(ctx, bus.TopicTasks, "handed-back", n); err != nil {
				e.log.Warn("notice not published, retrying later", "task", n.Task, "worker", n.Worker, "err", err)
				return
			}
		}
		for _, t := range owt {
			if err := e.recycle(ctx, t.Worker, t.Task); err != nil {
				e.log.Warn("task not ended at a worker that is drained", "task", t.Task, "worker", t.Worker, "err", err)
			}
			if ctx.Err() != nil {
				return
			}
		}
	})
}

// endTask ends a task at an agent of OWT's that must not run it. Workers of Muster
// find out by themselves, with checkWorker.
func (e *errands) endTask(worker, task string) {
	e.within(e.recycles, func() {
		if err := e.recycle(context.Background(), worker, task); err != nil {
			e.log.Warn("task not ended at a worker that must not run it", "task", task, "worker", worker, "err", err)
		}
	})
}

// recycle asks an agent of OWT's to end a task. They look nodes up by the room,
// which a manager does not know; of a conference it is the task itself. For any
// other there is no word that ends one task.
func (e *errands) recycle(ctx context.Context, worker, task string) error {
	ctx, cancel := context.WithTimeout(ctx, recycleTime)
	defer cancel()
	raw, err := e.conn.Call(ctx, worker, "queryNode", task)
	if err != nil {
		return err
	}
	var node string
	if err := json.Unmarshal(raw, &node); err != nil {
		return err
	}
	_, err = e.conn.Call(ctx, worker, "recycleNode", node, muster.TaskEnd{Room: task, Task: task})
	return err
}

package manager

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

const (
	// drainEvery is how many looks at the reservations there are to one at the
	// drains: 200 ms.
	drainEvery = 10
	// agentLease is for how long an agent stays drained after the last call that
	// asked for it; agentEvery is the time between two such calls. An agent that
	// no leader calls any more is available again by itself.
	agentLease = 60 * time.Second
	agentEvery = 15 * time.Second
	// agentTime bounds such a call.
	agentTime = 2 * time.Second
	// noticeEvery is the time between two notices to the callers of tasks that
	// are handed back. A notice may be lost, and a caller may start late.
	noticeEvery = 30 * time.Second
	// maxDrainCalls is how many agents are called at once.
	maxDrainCalls = 32
)

// drainer carries out what drains ask of others: agents end their idle nodes and,
// after the deadline of policy "end", their tasks; the callers of tasks that are
// handed back get a notice. It belongs to the goroutine that owns the state, save
// for the calls that it starts. What it remembers is lost with the lead: the next
// leader calls and publishes again, which does no harm.
type drainer struct {
	conn    bus.Conn
	looks   int
	agents  map[string]agentCall     // by worker
	noticed map[uint64]time.Duration // when a drain's notices were sent, by its number
	free    chan struct{}
}

// agentCall is the last call to an agent.
type agentCall struct {
	incarnation string
	end         bool
	at          time.Duration
}

func newDrainer(conn bus.Conn) *drainer {
	return &drainer{
		conn: conn, agents: map[string]agentCall{}, noticed: map[uint64]time.Duration{}, free: make(chan struct{}, maxDrainCalls),
	}
}

// lookAtDrains proposes what is due of drains, and has it carried out.
func (c *core) lookAtDrains() {
	if c.drainer == nil {
		return
	}
	if c.drainer.looks++; c.drainer.looks%drainEvery != 0 {
		return
	}
	s := c.replica.State()
	if s.DrainsDue(c.now()) {
		c.propose(nil, state.StepDrains{}, nil)
	}
	if c.drainer.conn == nil {
		return
	}
	c.callAgents(s.DrainingWorkers())
	c.sendNotices(s.OverdueDrains())
}

// callAgents calls the agents among the workers that are drained. One that still
// holds reservations is left alone: their callers are on the way to it. A worker
// that is no agent refuses the call, which does no harm.
func (c *core) callAgents(workers []state.DrainingWorker) {
	d := c.drainer
	for worker := range d.agents {
		if !c.replica.State().IsDraining(worker) {
			delete(d.agents, worker)
			c.callAgent(worker, "undrain")
		}
	}
	for _, w := range workers {
		last := d.agents[w.ID]
		this := agentCall{w.Incarnation, w.End, c.at.Passed}
		due := last.incarnation != w.Incarnation || last.end != w.End || this.at-last.at >= agentEvery
		if w.Incarnation == "" || !due || w.Reserved > 0 && !w.End {
			continue
		}
		if c.callAgent(w.ID, "drain", drainCall{LeaseMillis: agentLease.Milliseconds(), End: w.End}) {
			d.agents[w.ID] = this
		}
	}
}

// drainCall is the argument of an agent's method "drain".
type drainCall struct {
	LeaseMillis int64 `json:"lease_ms"`
	End         bool  `json:"end,omitempty"`
}

// callAgent calls an agent without waiting for the answer. It reports false if
// too many are being called.
func (c *core) callAgent(worker, method string, args ...any) bool {
	d := c.drainer
	select {
	case d.free <- struct{}{}:
	default:
		return false
	}
	c.background.Go(func() {
		defer func() { <-d.free }()
		ctx, cancel := context.WithTimeout(context.Background(), agentTime)
		defer cancel()
		_, err := d.conn.Call(ctx, worker, method, args...)
		if refused := (*bus.RemoteError)(nil); err != nil && !errors.As(err, &refused) {
			c.log.Warn("agent did not answer, calling it again later", "worker", worker, "method", method, "err", err)
		}
	})
	return true
}

// HandBack is the notice that a task is handed back to its caller: who
// schedules it again gets another worker. It is published on bus.TopicTasks under
// the key "handed-back": a purpose may have dots.
type HandBack struct {
	Purpose string `json:"purpose"`
	Task    string `json:"task"`
	Worker  string `json:"worker"`
	Drain   uint64 `json:"drain"`
	// Ends reports that the worker's agent ends the task.
	Ends bool `json:"ends,omitempty"`
}

// sendNotices publishes the notices of drains whose deadline has passed.
func (c *core) sendNotices(drains []uint64) {
	d := c.drainer
	for id := range d.noticed {
		if !slices.Contains(drains, id) {
			delete(d.noticed, id)
		}
	}
	for _, id := range drains {
		if at, sent := d.noticed[id]; sent && c.at.Passed-at < noticeEvery {
			continue
		}
		d.noticed[id] = c.at.Passed
		s := c.replica.State()
		drain, _ := s.DrainByID(id)
		var notices []HandBack
		var owt []state.DrainTask
		for _, t := range s.DrainTasks(id) {
			ends := drain.Policy == muster.DrainEnd
			notices = append(notices, HandBack{Purpose: t.Purpose, Task: t.Task, Worker: t.Worker, Drain: id, Ends: ends})
			if ends && s.IncarnationOf(t.Worker) == "" {
				owt = append(owt, t)
			}
		}
		if len(notices) > 0 {
			c.log.Info("drain is past its deadline", "drain", id, "policy", string(drain.Policy), "tasks", len(notices))
			c.background.Go(func() { c.handBack(notices, owt) })
		}
	}
}

// handBack publishes notices, and ends the tasks that agents of OWT run.
func (c *core) handBack(notices []HandBack, owt []state.DrainTask) {
	ctx, cancel := context.WithTimeout(context.Background(), noticeEvery)
	defer cancel()
	for _, n := range notices {
		if err := c.drainer.conn.Publish(ctx, bus.TopicTasks, "handed-back", n); err != nil {
			c.log.Warn("notice not published, retrying later", "task", n.Task, "worker", n.Worker, "err", err)
			return
		}
	}
	for _, t := range owt {
		if err := c.recycler.end(ctx, t.Worker, t.Task); err != nil {
			c.log.Warn("task not ended at a worker that is drained", "task", t.Task, "worker", t.Worker, "err", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

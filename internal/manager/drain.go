package manager

import (
	"slices"
	"time"

	"github.com/muster-fleet/muster"
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
	// noticeEvery is the time between two notices to the callers of tasks that
	// are handed back. A notice may be lost, and a caller may start late.
	noticeEvery = 30 * time.Second
)

// drainer remembers what drains asked of others: agents end their idle nodes and,
// after the deadline of policy "end", their tasks; the callers of tasks that are
// handed back get a notice. It is lost with the lead: the next leader calls and
// publishes again, which does no harm.
type drainer struct {
	looks   int
	agents  map[string]agentCall     // by worker
	noticed map[uint64]time.Duration // when a drain's notices were sent, by its number
}

// agentCall is the last call to an agent.
type agentCall struct {
	incarnation string
	end         bool
	at          time.Duration
}

func newDrainer() drainer {
	return drainer{agents: map[string]agentCall{}, noticed: map[uint64]time.Duration{}}
}

// lookAtDrains proposes what is due of drains, and has it carried out.
func (c *core) lookAtDrains() {
	if c.drainer.looks++; c.drainer.looks%drainEvery != 0 {
		return
	}
	s := c.replica.State()
	if s.DrainsDue(c.now()) {
		c.propose(nil, state.StepDrains{}, nil)
	}
	c.callAgents(s.DrainingWorkers())
	c.sendNotices(s.OverdueDrains())
}

// callAgents calls the agents among the workers that are drained. One that still
// holds reservations is left alone: their callers are on the way to it. A worker
// that is no agent refuses the call, which does no harm.
func (c *core) callAgents(workers []state.DrainingWorker) {
	d := &c.drainer
	for worker := range d.agents {
		if !c.replica.State().IsDraining(worker) {
			delete(d.agents, worker)
			c.out.callAgent(worker, "undrain")
		}
	}
	for _, w := range workers {
		last := d.agents[w.ID]
		this := agentCall{w.Incarnation, w.End, c.at.Passed}
		due := last.incarnation != w.Incarnation || last.end != w.End || this.at-last.at >= agentEvery
		if w.Incarnation == "" || !due || w.Reserved > 0 && !w.End {
			continue
		}
		if c.out.callAgent(w.ID, "drain", drainCall{LeaseMillis: agentLease.Milliseconds(), End: w.End}) {
			d.agents[w.ID] = this
		}
	}
}

// drainCall is the argument of an agent's method "drain".
type drainCall struct {
	LeaseMillis int64 `json:"lease_ms"`
	End         bool  `json:"end,omitempty"`
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
	d := &c.drainer
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
			c.out.handBack(notices, owt)
		}
	}
}

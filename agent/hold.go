package agent

import (
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/specid"
)

// claimTime is how long a node that starts slowly is kept for a caller that
// was refused before it was ready. The caller asks again, or the node ends.
const claimTime = 10 * time.Second

// failedStart is a task whose node ended before it was ready, when its caller
// had been refused already. The next request for it gets the reason.
type failedStart struct {
	node  string
	err   error
	id    specid.ID
	until time.Time
}

// expire refuses requests that waited too long for a node. The node goes on
// starting, and is kept for who asks again. One that is made for its task may
// work on it already: then the task is picked up, so that it is placed nowhere
// else.
func (p *pool) expire(n *node, late func(*request) bool) {
	for _, r := range n.waiting {
		if late(r) && n.phase == starting {
			p.hold(n, r)
		}
	}
	p.turnAway(&n.waiting, late, muster.ReasonNodeNotReady, n.id, nil)
}

func (p *pool) hold(n *node, r *request) {
	if !p.alone || p.draining {
		n.keptUntil = p.now.Add(claimTime)
		return
	}
	t := p.running(r.task)
	if t == nil {
		t = p.add(n, r)
	}
	t.claimBy = p.now.Add(claimTime)
}

// join answers a request for a task that runs, or lets it wait with the others
// while the node of the task starts.
func (p *pool) join(t *task, r *request) {
	if t.node.phase == starting {
		t.claimBy = r.until.Add(claimTime)
		p.assign(t.node, r)
		return
	}
	t.claimBy = time.Time{}
	p.emit(answer{r.ref, t.node.id})
}

// dropUnclaimed ends tasks that no caller came back for.
func (p *pool) dropUnclaimed() {
	for _, n := range p.nodes {
		for _, t := range slices.Clone(n.tasks) {
			if t.ending == nil && !t.claimBy.IsZero() && !p.now.Before(t.claimBy) {
				p.endTask(t, muster.TaskResult{State: muster.TaskFailed, Error: "no caller asked for the task again"}, release)
			}
		}
	}
	for name, f := range p.failed {
		if !p.now.Before(f.until) {
			delete(p.failed, name)
		}
	}
}

// failHeld remembers why a node did not start, for callers who were refused
// before that and ask again.
func (p *pool) failHeld(n *node, err error) {
	if err == nil {
		return
	}
	for _, t := range n.tasks {
		if t.ending == nil && !t.claimBy.IsZero() {
			p.failed[t.name] = failedStart{n.id, err, t.id, p.now.Add(claimTime)}
		}
	}
}

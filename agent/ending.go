package agent

import (
	"slices"

	"github.com/muster-fleet/muster"
)

// releaseMode is what is reported to the manager about a task that ended.
type releaseMode int

const (
	// sayNothing: the manager knows.
	sayNothing releaseMode = iota
	// keepPlace lays the task down; for a while it is placed here again.
	keepPlace
	// release lays it down and gives up the reservation that follows, which
	// would keep others from its place.
	release
)

// endTask ends a task. The last task of a node ends together with the node: as
// long as its program runs the task keeps its place, so that the next one does
// not run beside it.
func (p *pool) endTask(t *task, result muster.TaskResult, say releaseMode) {
	n := t.node
	t.ending = &ending{result: result, release: say}
	shared := slices.ContainsFunc(n.tasks, func(o *task) bool { return o.ending == nil })
	switch {
	case p.find(n.id) == nil, n.phase != stopping && shared:
		p.settle(t)
	case n.phase != stopping:
		p.disappoint(n, muster.ReasonEarlyRecycled, nil)
		p.stop(n, false)
	}
}

// settleAll ends the books of the tasks of a node that has ended.
func (p *pool) settleAll(n *node) {
	for _, t := range slices.Clone(n.tasks) {
		p.settle(t)
	}
}

// settle finishes a task that is ending: its outcome is remembered, published,
// and reported to the manager and to the callers that wait for it.
func (p *pool) settle(t *task) {
	e := t.ending
	p.remember(t, e.result)
	delete(p.tasks, t.name)
	t.node.tasks = slices.DeleteFunc(t.node.tasks, func(o *task) bool { return o == t })
	if e.release != sayNothing {
		p.emit(layDown{t.name})
	}
	if e.release == release {
		p.emit(reject{t.name})
	}
	p.emit(p.notice(t, string(e.result.State), e.result.Error))
	for _, ref := range e.refs {
		p.emit(answer{ref, "ok"})
	}
}

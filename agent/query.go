package agent

import (
	"slices"
	"time"

	"github.com/muster-fleet/muster"
)

// rememberedTasks is of how many tasks it is remembered how they ended.
const rememberedTasks = 1000

// history is what became of the last tasks.
type history struct {
	most    int
	reports map[string]muster.TaskReport
	// order has their names, the oldest first.
	order []string
}

func newHistory(most int) history {
	return history{most: most, reports: map[string]muster.TaskReport{}}
}

func (h *history) add(r muster.TaskReport) {
	if _, again := h.reports[r.Task]; again {
		h.order = slices.DeleteFunc(h.order, func(name string) bool { return name == r.Task })
	}
	h.reports[r.Task] = r
	h.order = append(h.order, r.Task)
	if len(h.order) > h.most {
		delete(h.reports, h.order[0])
		h.order = slices.Delete(h.order, 0, 1)
	}
}

// queryNode returns the node that has a task of the room.
func (p *pool) queryNode(room string) (string, bool) {
	n := p.first(func(n *node) bool {
		return n.phase != stopping && slices.ContainsFunc(n.tasks, func(t *task) bool { return t.room == room })
	})
	if n == nil {
		return "", false
	}
	return n.id, true
}

// queryTask returns how a task stands, or how it ended.
func (p *pool) queryTask(now time.Time, name string) (muster.TaskReport, bool) {
	if t := p.tasks[name]; t != nil {
		return p.reportOf(t, now, muster.TaskResult{State: muster.TaskRunning}), true
	}
	r, ok := p.ended.reports[name]
	return r, ok
}

func (p *pool) reportOf(t *task, now time.Time, result muster.TaskResult) muster.TaskReport {
	return muster.TaskReport{
		Task: t.name, Room: t.room, Node: t.node.id, State: result.State, Error: result.Error,
		Status: p.status(t.node.id), Seconds: now.Sub(t.began).Seconds(), By: t.by,
	}
}

// list describes the nodes, without what only their processes know.
func (p *pool) list(now time.Time) []muster.Node {
	infos := make([]muster.Node, 0, len(p.nodes))
	for _, n := range p.nodes {
		info := muster.Node{
			ID: n.id, State: n.state(), Tasks: []string{}, Status: p.status(n.id),
			AgeMillis: now.Sub(n.launched).Milliseconds(),
		}
		for i, t := range n.tasks {
			if i == 0 {
				info.Room = t.room
			}
			info.Tasks = append(info.Tasks, t.name)
		}
		infos = append(infos, info)
	}
	return infos
}

func (n *node) state() muster.NodeState {
	switch {
	case n.phase == stopping:
		return muster.NodeStopping
	case n.phase == starting:
		return muster.NodeStarting
	case len(n.tasks) == 0:
		return muster.NodeIdle
	}
	return muster.NodeBusy
}

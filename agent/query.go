package agent

import (
	"encoding/json"
	"slices"
	"strings"
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
		Status: p.status(t.node.id), Seconds: now.Sub(t.began).Seconds(), By: t.by, Attempt: t.attempt, Cause: result.Cause, Detail: bounded(result.Detail),
	}
}

// mostDetail bounds what is remembered of what a node said of a task, in bytes.
const mostDetail = 16 << 10

func bounded(detail json.RawMessage) json.RawMessage {
	if len(detail) > mostDetail {
		return nil
	}
	return detail
}

// remember keeps how a task ended.
func (p *pool) remember(t *task, result muster.TaskResult) {
	r := p.reportOf(t, p.now, result)
	r.EndedAt = muster.InstantOf(p.now)
	p.ended.add(r)
	if p.onEnded != nil {
		p.onEnded(r)
	}
}

// These bound one answer of endedTasks, which has to fit into a message; the last
// two in bytes.
const (
	mostListed   = 200
	mostError    = 2000
	mostWarnings = 1000
)

// summary is what a list has of a detail: whether the result was there already, and
// the warnings, as far as they are short.
func summary(detail json.RawMessage) json.RawMessage {
	var d struct {
		Kept     bool            `json:"kept,omitempty"`
		Warnings json.RawMessage `json:"warnings,omitempty"`
	}
	if json.Unmarshal(detail, &d) != nil || !d.Kept && d.Warnings == nil || len(d.Warnings) > mostWarnings {
		return nil
	}
	short, _ := json.Marshal(d)
	return short
}

// listEnded returns the tasks that ended last, the last one first, with little of
// what their nodes said beside.
func (h *history) listEnded(limit int) []muster.TaskReport {
	list := []muster.TaskReport{}
	for _, name := range slices.Backward(h.order) {
		if len(list) >= min(limit, mostListed) {
			break
		}
		r := h.reports[name]
		r.Detail, r.Status = summary(r.Detail), ""
		if len(r.Error) > mostError {
			r.Error = strings.ToValidUTF8(r.Error[:mostError], "") + " ..."
		}
		list = append(list, r)
	}
	return list
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

package agent

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
)

// getNode asks for a node for a task. Asked again, it is answered the same.
func (p *pool) getNode(now time.Time, ref uint64, room, name string, input json.RawMessage) {
	p.advance(now)
	r := &request{ref: ref, room: room, task: name, input: input, until: now.Add(p.answerWithin)}
	if p.draining && p.tasks[name] == nil {
		p.refuse(r, reasonAgentNotReady, "", nil)
	} else {
		p.place(r)
	}
	p.finish()
}

// place finds a node for a request, or refuses it, or lets it wait while a
// node is on its way out.
func (p *pool) place(r *request) {
	if t := p.tasks[r.task]; t != nil {
		p.emit(answer{r.ref, t.node.id})
		return
	}
	n := p.choose(r)
	switch {
	case n != nil:
		p.assign(n, r)
	case !p.full():
		p.refuse(r, reasonNodeNotReady, "", p.trouble)
	case slices.ContainsFunc(p.nodes, (*node).isStopping):
		p.queue = append(p.queue, r)
	default:
		p.refuse(r, reasonNoNode, "", nil)
	}
}

func (n *node) isStopping() bool { return n.phase == stopping }

// choose returns the node for a request, a new one if need be; nil where there
// is none.
func (p *pool) choose(r *request) *node {
	if n := p.first(func(n *node) bool { return n.awaits(r.task) }); n != nil {
		return n
	}
	if p.alone {
		return p.launchFor(r)
	}
	if n := p.first(func(n *node) bool { return !p.policy.PerTask && n.has(r.room) }); n != nil {
		return n
	}
	if n := p.first(func(n *node) bool { return n.idle() && n.phase == ready }); n != nil {
		return n
	}
	if n := p.first((*node).idle); n != nil {
		return n
	}
	if n := p.launchFor(nil); n != nil {
		return n
	}
	return p.reuse()
}

func (p *pool) launchFor(r *request) *node {
	if !p.mayLaunch() {
		return nil
	}
	return p.launch(r)
}

// reuse is the busy node that was chosen the longest ago.
func (p *pool) reuse() *node {
	if !p.policy.ReuseWhenFull {
		return nil
	}
	var oldest *node
	for _, n := range p.nodes {
		if n.phase != stopping && (oldest == nil || n.picked < oldest.picked) {
			oldest = n
		}
	}
	return oldest
}

func (p *pool) first(which func(*node) bool) *node {
	if i := slices.IndexFunc(p.nodes, which); i >= 0 {
		return p.nodes[i]
	}
	return nil
}

func (p *pool) assign(n *node, r *request) {
	p.picks++
	n.picked = p.picks
	if n.phase == ready {
		p.begin(n, r)
		return
	}
	n.waiting = append(n.waiting, r)
}

// begin puts a task on a node that is ready. The manager hears of it before
// the caller does.
func (p *pool) begin(n *node, r *request) {
	if p.tasks[r.task] == nil {
		t := &task{name: r.task, room: r.room, node: n, began: p.now}
		n.tasks = append(n.tasks, t)
		p.tasks[r.task] = t
		p.emit(pickUp{r.task}, p.notice(t, "started", ""))
	}
	p.emit(answer{r.ref, n.id})
}

// refuse ends a request without a node. The manager may place the task
// elsewhere.
func (p *pool) refuse(r *request, reason, node string, err error) {
	p.emit(reject{r.task}, refuse{r.ref, reason, node, err})
}

// recycle ends a task on a node, and with the last one the node. Without a
// result it may come back, as OWT's tasks do.
func (p *pool) recycle(now time.Time, id, name string, result *muster.TaskResult) {
	p.advance(now)
	if t := p.tasks[name]; t != nil && t.node.id == id {
		p.trouble.over()
		end := release
		if result == nil && !p.alone && !p.policy.PerTask {
			end = keepPlace
		}
		p.endTask(t, orDone(result), end)
	} else if n := p.find(id); n != nil && n.awaits(name) {
		p.withdraw(n, func(r *request) bool { return r.task == name }, reasonEarlyRecycled)
	}
	p.finish()
}

// withdraw refuses some of those who wait for a node. A node that was made for
// their task ends; any other waits for the next.
func (p *pool) withdraw(n *node, which func(*request) bool, reason string) {
	var kept []*request
	for _, r := range n.waiting {
		if which(r) {
			p.refuse(r, reason, n.id, nil)
		} else {
			kept = append(kept, r)
		}
	}
	n.waiting = kept
}

// drop ends tasks that the manager has given up; it need not be told.
func (p *pool) drop(now time.Time, names []string) {
	p.advance(now)
	for _, name := range names {
		if t := p.tasks[name]; t != nil {
			p.endTask(t, muster.TaskResult{State: muster.TaskFailed, Error: "the manager gave the task up"}, sayNothing)
		}
	}
	p.finish()
}

// orDone reads what a caller said of a task that is over: nothing is done.
func orDone(t *muster.TaskResult) muster.TaskResult {
	if t == nil || t.State != muster.TaskFailed {
		return muster.TaskResult{State: muster.TaskDone}
	}
	return *t
}

// farewell is what the manager hears of a task that ended.
type farewell int

const (
	// release lays it down, and gives up the reservation that it has then: it
	// would keep others from its place.
	release farewell = iota
	// keepPlace lays it down; for a while it is placed here again.
	keepPlace
	// sayNothing: the manager knows.
	sayNothing
)

// endTask takes a task from its node, and ends the node with its last one.
func (p *pool) endTask(t *task, result muster.TaskResult, say farewell) {
	n := t.node
	p.ended.add(p.reportOf(t, p.now, result))
	delete(p.tasks, t.name)
	n.tasks = slices.DeleteFunc(n.tasks, func(o *task) bool { return o == t })
	if say != sayNothing {
		p.emit(layDown{t.name})
	}
	if say == release {
		p.emit(reject{t.name})
	}
	p.emit(p.notice(t, string(result.State), result.Error))
	if len(n.tasks) == 0 && p.find(n.id) != nil {
		p.stop(n, false)
	}
}

func (p *pool) notice(t *task, what, err string) notice {
	return notice{p.purpose + "." + what, TaskNotice{
		Task: t.name, Room: t.room, Node: t.node.id, Worker: p.agent, Purpose: p.purpose, Error: err,
	}}
}

package agent

import (
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/specid"
)

// getNode asks for a node for a task. Asked again with the same room and spec,
// it is answered the same; with others it is refused, and the task is left as
// it is.
func (p *pool) getNode(now time.Time, ref uint64, o muster.TaskOrder) {
	p.advance(now)
	r := &request{
		ref: ref, room: o.Room, task: o.Task, input: o.Spec, id: specid.Of(o.Room, o.Spec), by: o.By, attempt: o.Attempt,
		until: now.Add(p.answerWithin),
	}
	if p.slotOf != nil {
		r.slot = p.slotOf(o.Spec)
	}
	running := p.running(r.task)
	switch node, id, ok := p.holder(r.task); {
	case ok && id != r.id:
		p.emit(refuse{r.ref, muster.ReasonTaskTaken, node, nil})
	case p.draining && running == nil:
		p.refuse(r, reasonAgentNotReady, "", nil)
	default:
		p.place(r)
	}
	p.finish()
}

// running returns the task of that name, unless it is ending.
func (p *pool) running(name string) *task {
	if t := p.tasks[name]; t != nil && t.ending == nil {
		return t
	}
	return nil
}

// holder returns the node and the identity of a task of that name that runs or
// is waited for.
func (p *pool) holder(name string) (node string, id specid.ID, ok bool) {
	if t := p.running(name); t != nil {
		return t.node.id, t.id, true
	}
	for _, n := range p.nodes {
		for _, r := range n.waiting {
			if r.task == name {
				return n.id, r.id, true
			}
		}
	}
	for _, r := range p.queue {
		if r.task == name {
			return "", r.id, true
		}
	}
	return "", specid.ID{}, false
}

// place finds a node for a request, or refuses it, or lets it wait while a
// node is on its way out.
func (p *pool) place(r *request) {
	if t := p.running(r.task); t != nil {
		p.join(t, r)
		return
	}
	if f, found := p.failed[r.task]; found {
		delete(p.failed, r.task)
		if f.id == r.id {
			p.refuse(r, reasonOf(f.err), f.node, f.err)
			return
		}
	}
	if p.alone && p.tasks[r.task] != nil { // its program has not ended yet
		p.queue = append(p.queue, r)
		return
	}
	if p.isCrowded(r) {
		p.await(r, muster.ReasonNoSlot)
		return
	}
	n := p.choose(r)
	switch {
	case n != nil:
		p.assign(n, r)
	case !p.full():
		p.refuse(r, muster.ReasonNodeNotReady, "", p.trouble)
	default:
		p.await(r, reasonNoNode)
	}
}

// await lets a request wait while a node is on its way out, or refuses it.
func (p *pool) await(r *request, reason muster.Reason) {
	if slices.ContainsFunc(p.nodes, (*node).isStopping) {
		p.queue = append(p.queue, r)
		return
	}
	p.refuse(r, reason, "", nil)
}

// isCrowded reports whether there are as many tasks as the agent takes, in all or
// of the sort, without that of the request. A task that is ending counts until its
// program is gone.
func (p *pool) isCrowded(r *request) bool {
	most, bounded := p.slots[r.slot]
	if p.maxTasks == 0 && !bounded {
		return false
	}
	slots := map[string]string{} // by the names of tasks
	for _, n := range p.nodes {
		for _, t := range n.tasks {
			slots[t.name] = t.slot
		}
		for _, w := range n.waiting {
			slots[w.task] = w.slot
		}
	}
	if _, there := slots[r.task]; there {
		return false
	}
	same := 0
	for _, slot := range slots {
		if slot == r.slot {
			same++
		}
	}
	return p.maxTasks != 0 && len(slots) >= p.maxTasks || bounded && same >= most
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
	if t := p.running(r.task); t != nil {
		t.claimBy = time.Time{}
	} else {
		p.add(n, r)
	}
	p.emit(answer{r.ref, n.id})
}

// add picks a task up.
func (p *pool) add(n *node, r *request) *task {
	if old := p.tasks[r.task]; old != nil { // ending, and begun anew on another node
		old.ending.release = min(old.ending.release, keepPlace)
		p.settle(old)
	}
	t := &task{name: r.task, room: r.room, id: r.id, slot: r.slot, by: r.by, attempt: r.attempt, node: n, began: p.now}
	n.tasks = append(n.tasks, t)
	p.tasks[r.task] = t
	p.emit(pickUp{r.task}, p.notice(t, "started", ""))
	return t
}

// refuse ends a request without a node. The manager may place the task
// elsewhere, unless it is here, or another request for it waits.
func (p *pool) refuse(r *request, reason muster.Reason, node string, err error) {
	if _, _, waits := p.holder(r.task); p.tasks[r.task] == nil && !waits {
		p.emit(reject{r.task})
	}
	p.emit(refuse{r.ref, reason, node, err})
}

// recycle ends a task on a node, and with the last one the node. Without a
// result it may come back, as OWT's tasks do.
// The caller is answered at once, as OWT's are, or where there is a result when
// the task's program has ended.
func (p *pool) recycle(now time.Time, ref uint64, id string, e muster.TaskEnd) {
	p.advance(now)
	defer p.finish()
	t := p.tasks[e.Task]
	switch {
	case t != nil && t.node.id == id && e.By != "" && e.By != t.by:
		p.emit(refuse{ref, muster.ReasonNotOwner, id, nil})
		return
	case t != nil && t.node.id == id && t.ending == nil:
		p.trouble.over()
		end := release
		if e.Result == nil && !p.alone && !p.policy.PerTask {
			end = keepPlace
		}
		p.endTask(t, orDone(e.Result), end)
	case t == nil || t.node.id != id:
		if n := p.find(id); n != nil && n.awaits(e.Task) {
			ended := func(r *request) bool { return r.task == e.Task && (e.By == "" || e.By == r.by) }
			p.turnAway(&n.waiting, ended, muster.ReasonEarlyRecycled, id, nil)
		}
	}
	if t != nil && p.tasks[e.Task] == t && t.node.id == id && e.Result != nil {
		t.ending.refs = append(t.ending.refs, ref)
		return
	}
	p.emit(answer{ref, "ok"})
}

// turnAway takes some requests off a list, and refuses them. node is the one for
// which they waited, "" for none.
func (p *pool) turnAway(list *[]*request, which func(*request) bool, reason muster.Reason, node string, err error) {
	var refused []*request
	*list = slices.DeleteFunc(*list, func(r *request) bool {
		if which(r) {
			refused = append(refused, r)
			return true
		}
		return false
	})
	for _, r := range refused {
		p.refuse(r, reason, node, err)
	}
}

// every selects all requests.
func every(*request) bool { return true }

// drop ends tasks that the manager has given up, without a report to it.
func (p *pool) drop(now time.Time, names []string) {
	p.advance(now)
	for _, name := range names {
		switch t := p.tasks[name]; {
		case t == nil:
		case t.ending != nil:
			t.ending.release = sayNothing
		default:
			p.endTask(t, muster.TaskResult{State: muster.TaskFailed, Error: "the manager gave the task up"}, sayNothing)
		}
	}
	p.finish()
}

// orDone is how a task ended according to its caller: done, unless said otherwise.
func orDone(t *muster.TaskResult) muster.TaskResult {
	if t == nil {
		return muster.TaskResult{State: muster.TaskDone}
	}
	result := *t
	if result.State != muster.TaskFailed {
		result.State = muster.TaskDone
	}
	return result
}

func (p *pool) notice(t *task, what, err string) notice {
	return notice{p.purpose + "." + what, TaskNotice{
		Task: t.name, Room: t.room, Node: t.node.id, Worker: p.agent, Purpose: p.purpose, Error: err,
	}}
}

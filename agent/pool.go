package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/internal/specid"
)

// settings are what a pool is made with.
type settings struct {
	agent, purpose string
	policy         Policy
	// alone: the launcher makes a node for one task, and none ahead of it.
	alone bool
	// maxTasks is how many tasks there may be at once, those included that are
	// ending; 0 is any number. The manager counts by what it has heard, which
	// may be less.
	maxTasks int
	// slots bound the tasks of each sort, which slotOf tells.
	slots                      map[string]int
	slotOf                     func(json.RawMessage) string
	readyTimeout, answerWithin time.Duration
	seed                       uint64
	// earlier are tasks that ended before, and onEnded hears of each that ends.
	earlier []muster.TaskReport
	onEnded func(muster.TaskReport)
}

// pool has the nodes of an agent and the tasks on them. It has no clock, no
// goroutine and no connection: what happens goes in, with the time, and
// actions come out, in the order in which they are to be done.
//
// What holds after each input:
//
//   - A task is on one node. Those on a node that is being stopped are ending:
//     they are laid down when the node has ended.
//   - There are at most policy.MaxNodes nodes, and of those that wait for
//     tasks at most policy.Prerun.
//   - Each getNode is answered or refused once.
//   - The tasks picked up and not laid down are those on nodes.
type pool struct {
	settings
	// status is what a node last said of itself; extended, until when it asked
	// to be waited for (EXTEND_TIMEOUT_USEC), or zero.
	status   func(node string) string
	extended func(node string) time.Time
	now      time.Time

	// nodes are all that have not ended, the oldest first; started counts
	// those that there ever were.
	nodes   []*node
	started int
	// picks counts the choices of a node.
	picks uint64
	tasks map[string]*task
	// queue are requests for which there is no place yet.
	queue []*request

	trouble trouble
	// unavailable is what was reported last.
	unavailable      bool
	draining, closed bool
	// lease is until when it is drained, zero for good; see drainUntil.
	lease time.Time
	ended history
	// failed has the tasks whose node ended before it was ready, while no
	// caller waited.
	failed map[string]failedStart

	actions []action
}

// node is one that was started and has not ended.
type node struct {
	id              string
	phase           phase
	launched, ready time.Time
	// settled: it has been ready for some time.
	settled bool
	// picked is when it was chosen last, in choices.
	picked  uint64
	tasks   []*task
	waiting []*request
	// keptUntil is how long it is not surplus: a caller that found it starting
	// is expected to ask again.
	keptUntil time.Time
}

type phase int

const (
	starting phase = iota
	ready
	stopping
)

// task is one that was picked up.
type task struct {
	name, room string
	id         specid.ID
	// slot is its sort: see settings.slots.
	slot string
	// by is who asked for it first, and may end it.
	by string
	// attempt is TaskOrder.Attempt of that order.
	attempt int
	node    *node
	began   time.Time
	// claimBy is set while no caller has got the node: at that time the task
	// ends, unless a caller asks again.
	claimBy time.Time
	ending  *ending
}

// ending is a task whose node is being stopped.
type ending struct {
	result  muster.TaskResult
	release releaseMode
	// refs are the callers who wait for the node's end.
	refs []uint64
}

// request is a getNode that was not answered yet.
type request struct {
	ref        uint64
	room, task string
	input      json.RawMessage
	id         specid.ID
	slot       string
	by         string
	attempt    int
	until      time.Time
}

// Other refusals of OWT's agents, word for word.
var (
	reasonNotFound      = muster.Reason{Code: muster.CodeNotFound, Text: "Not found"}
	reasonNoNode        = muster.Reason{Code: muster.CodeNoNode, Text: "No available node"}
	reasonAgentNotReady = muster.Reason{Code: muster.CodeAgentNotReady, Text: "agent not ready"}
)

func newPool(s settings, status func(string) string, extended func(string) time.Time) *pool {
	p := &pool{
		settings: s, status: status, extended: extended, tasks: map[string]*task{}, failed: map[string]failedStart{},
		ended:   newHistory(rememberedTasks),
		trouble: trouble{random: rand.New(rand.NewPCG(s.seed, s.seed))},
	}
	for _, r := range s.earlier {
		p.ended.add(r)
	}
	return p
}

// idle reports whether it waits for a task and no caller waits for it.
func (n *node) idle() bool {
	return n.phase != stopping && len(n.tasks) == 0 && len(n.waiting) == 0
}

// has reports whether a task of the room is on the node, or about to be.
func (n *node) has(room string) bool {
	if n.phase == stopping {
		return false
	}
	return slices.ContainsFunc(n.tasks, func(t *task) bool { return t.room == room }) ||
		slices.ContainsFunc(n.waiting, func(r *request) bool { return r.room == room })
}

// awaits reports whether a request for the task waits for the node.
func (n *node) awaits(task string) bool {
	return slices.ContainsFunc(n.waiting, func(r *request) bool { return r.task == task })
}

func (p *pool) find(id string) *node {
	return p.first(func(n *node) bool { return n.id == id })
}

// count counts nodes.
func (p *pool) count(which func(*node) bool) int {
	total := 0
	for _, n := range p.nodes {
		if which(n) {
			total++
		}
	}
	return total
}

// tick is time that passed. Every input is one, too.
func (p *pool) tick(now time.Time) {
	p.advance(now)
	p.finish()
}

// launch starts a node; r is the task that it is made for, or nil.
func (p *pool) launch(r *request) *node {
	n := &node{id: fmt.Sprintf("%s_%d", p.agent, p.started), launched: p.now}
	p.started++
	p.nodes = append(p.nodes, n)
	s := process.Spec{ID: n.id, Agent: p.agent, Purpose: p.purpose}
	if r != nil {
		s.Task, s.Room, s.Input = r.task, r.room, r.input
	}
	p.emit(launch{s})
	return n
}

// stop ends a node whose tasks have ended, or are ending.
func (p *pool) stop(n *node, kill bool) {
	n.phase = stopping
	p.emit(stop{n.id, kill})
}

// nodeReady is a node that can take tasks.
func (p *pool) nodeReady(now time.Time, id string) {
	p.advance(now)
	if n := p.find(id); n != nil && n.phase == starting {
		n.phase, n.ready = ready, now
		waiting := n.waiting
		n.waiting = nil
		for _, r := range waiting {
			p.begin(n, r)
		}
	}
	p.finish()
}

// nodeGone is a node that has ended; err is nil where it ended well.
func (p *pool) nodeGone(now time.Time, id string, err error) {
	p.remove(now, id, func(n *node) { p.fail(n, err, p.blames(n)) })
}

// notLaunched is a node that could not be started. A launcher that makes nodes
// for one task cannot tell whose fault that is, the task's or the machine's:
// the caller gets the reason, and the agent goes on.
func (p *pool) notLaunched(now time.Time, id string, err error) {
	p.remove(now, id, func(n *node) {
		if !p.alone {
			p.trouble.failed(now)
		}
		p.giveUp(n, reasonOf(err), err)
	})
}

// remove takes out a node that does not run any more. failed is called with one
// that was not asked to end.
func (p *pool) remove(now time.Time, id string, failed func(*node)) {
	p.advance(now)
	if n := p.find(id); n != nil {
		p.nodes = slices.DeleteFunc(p.nodes, func(o *node) bool { return o == n })
		if n.phase != stopping {
			failed(n)
		}
		p.settleAll(n)
	}
	p.finish()
}

// reasonOf is how a caller is refused whose node did not start.
func reasonOf(err error) muster.Reason {
	if errors.Is(err, process.ErrSpec) {
		return muster.ReasonInvalidTask
	}
	return muster.ReasonEarlyRecycled
}

// fail handles a node that ended without a stop, or does not become ready.
func (p *pool) fail(n *node, err error, blamed bool) {
	if blamed {
		p.trouble.failed(p.now)
	}
	if err != nil {
		p.emit(abnormal{n.id, err})
	}
	p.giveUp(n, muster.ReasonEarlyRecycled, err)
}

// giveUp ends all that counted on a node.
func (p *pool) giveUp(n *node, reason muster.Reason, err error) {
	p.disappoint(n, reason, err)
	p.failHeld(n, err)
	for _, t := range slices.Clone(n.tasks) {
		p.endTask(t, resultOf(err), release)
	}
}

// blames reports whether the end of a node speaks against the agent: a node
// that did nothing yet. What ends under a task may be the task's fault, and so
// is all that a node does that was made for one.
func (p *pool) blames(n *node) bool {
	return !p.alone && !n.settled && len(n.tasks) == 0
}

// resultOf is how tasks end with their node.
func resultOf(err error) muster.TaskResult {
	if err == nil {
		return muster.TaskResult{State: muster.TaskDone}
	}
	return muster.TaskResult{State: muster.TaskFailed, Error: err.Error()}
}

// disappoint refuses those who wait for a node.
func (p *pool) disappoint(n *node, reason muster.Reason, err error) {
	p.turnAway(&n.waiting, every, reason, n.id, err)
}

// drain takes no further tasks. Those that run go on.
func (p *pool) drain(now time.Time) {
	p.advance(now)
	p.draining, p.lease = true, time.Time{}
	p.refuseQueue()
	p.finish()
}

// endAll ends all tasks, since there is no more time for them.
func (p *pool) endAll(now time.Time, why string) {
	p.advance(now)
	p.refuseQueue()
	for _, n := range p.nodes {
		p.disappoint(n, reasonAgentNotReady, nil)
		if n.phase != stopping && len(n.tasks) > 0 {
			p.stop(n, false)
		}
		for _, t := range slices.Clone(n.tasks) {
			if t.ending == nil {
				p.endTask(t, muster.TaskResult{State: muster.TaskFailed, Error: why}, release)
			}
		}
	}
	p.finish()
}

func (p *pool) refuseQueue() {
	p.turnAway(&p.queue, every, reasonAgentNotReady, "", nil)
}

// close ends everything.
func (p *pool) close(now time.Time, why string) {
	p.draining, p.closed, p.lease = true, true, time.Time{}
	p.endAll(now, why)
}

// finish does what follows from an input.
func (p *pool) finish() {
	p.placeQueue()
	p.stopUnneeded()
	p.fill()
	if u := !p.available(); u != p.unavailable {
		p.unavailable = u
		p.emit(report{!u})
	}
}

func (p *pool) placeQueue() {
	queue := p.queue
	p.queue = nil
	for _, r := range queue {
		p.place(r)
	}
}

// stopUnneeded stops idle nodes above what is kept, those first that have
// furthest to go.
func (p *pool) stopUnneeded() {
	surplus := p.count((*node).idle) - p.prerun()
	for _, which := range []phase{starting, ready} {
		for _, n := range slices.Backward(p.nodes) {
			if surplus > 0 && n.idle() && n.phase == which && (p.draining || !p.now.Before(n.keptUntil)) {
				p.stop(n, false)
				surplus--
			}
		}
	}
}

// prerun is how many idle nodes there should be.
func (p *pool) prerun() int {
	if p.alone || p.draining {
		return 0
	}
	return p.policy.Prerun
}

// fill starts idle nodes.
func (p *pool) fill() {
	for p.count((*node).idle) < p.prerun() && !p.now.Before(p.trouble.retryAt) && p.mayLaunch() {
		p.launch(nil)
	}
}

// full reports whether there may be no further node.
func (p *pool) full() bool {
	return p.policy.MaxNodes != NoLimit && len(p.nodes) >= p.policy.MaxNodes
}

// mayLaunch: in trouble, nodes are tried one at a time.
func (p *pool) mayLaunch() bool {
	if p.full() {
		return false
	}
	return !p.trouble.deep() || !p.now.Before(p.trouble.retryAt) && !slices.ContainsFunc(p.nodes, (*node).isStarting)
}

func (n *node) isStarting() bool { return n.phase == starting }

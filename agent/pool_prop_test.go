package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-fleet/muster"
)

// world is what surrounds a pool: it believes only what the actions say, and
// holds the invariants against that.
type world struct {
	t    *rapid.T
	pool *pool
	now  time.Time

	// processes are the nodes that run, and whether each is being stopped.
	processes map[string]*proc
	asked     map[uint64]string // open requests: their tasks
	recycled  map[uint64]bool   // open ends of tasks
	nextRef   uint64
	manager   map[string]bool   // tasks picked up
	placed    map[string]string // task -> node, from answers
	available bool
	launched  map[string]bool
	notices   map[string]string // task -> last notice
}

type proc struct{ ready, stopping bool }

var start0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newWorld(t *rapid.T) *world {
	s := settings{
		agent: "a", purpose: "p", seed: rapid.Uint64().Draw(t, "seed"),
		readyTimeout: 3 * time.Second, answerWithin: time.Second,
		alone: rapid.Bool().Draw(t, "alone"),
		policy: Policy{
			Prerun:   rapid.IntRange(0, 3).Draw(t, "prerun"),
			MaxNodes: rapid.SampledFrom([]int{-1, 1, 2, 4}).Draw(t, "max"),
			PerTask:  rapid.Bool().Draw(t, "perTask"),
		},
	}
	s.policy.ReuseWhenFull = !s.policy.PerTask && rapid.Bool().Draw(t, "reuse")
	w := &world{
		t: t, now: start0, processes: map[string]*proc{}, asked: map[uint64]string{}, recycled: map[uint64]bool{}, manager: map[string]bool{},
		placed: map[string]string{}, available: true, launched: map[string]bool{}, notices: map[string]string{},
	}
	w.pool = newPool(s, func(string) string { return "" }, func(string) time.Time { return time.Time{} })
	w.pool.tick(w.now)
	w.absorb()
	return w
}

// absorb carries the actions out.
func (w *world) absorb() {
	for _, a := range w.pool.take() {
		switch a := a.(type) {
		case launch:
			w.launch(a)
		case stop:
			w.stop(a)
		case answer:
			w.answered(a)
		case refuse:
			w.closeRequest(a.ref)
		case pickUp:
			w.must(!w.manager[a.task], "task %s was picked up twice", a.task)
			w.manager[a.task] = true
		case layDown:
			w.must(w.manager[a.task], "task %s was laid down and not picked up", a.task)
			delete(w.manager, a.task)
		case reject:
			w.must(!w.manager[a.task], "task %s was rejected while it runs", a.task)
		case report:
			w.must(a.available != w.available, "the state was reported twice")
			w.available = a.available
		case notice:
			w.noticed(a)
		case abnormal:
			w.must(a.err != nil && w.launched[a.node], "a crash of %s, which did not crash", a.node)
		}
	}
}

func (w *world) launch(a launch) {
	id := a.spec.ID
	w.must(!w.launched[id], "node %s was started twice", id)
	w.must(w.pool.alone == (a.spec.Task != ""), "task %q of a node, alone: %v", a.spec.Task, w.pool.alone)
	w.launched[id] = true
	w.processes[id] = &proc{}
	w.pool.status(id)
}

func (w *world) stop(a stop) {
	p := w.processes[a.node]
	w.must(p != nil && !p.stopping, "node %s was stopped, which does not run", a.node)
	p.stopping = true
}

func (w *world) answered(a answer) {
	if a.text == "ok" {
		w.must(w.recycled[a.ref], "the end %d was answered twice", a.ref)
		delete(w.recycled, a.ref)
		return
	}
	task := w.closeRequest(a.ref)
	p := w.processes[a.text]
	w.must(p != nil && p.ready && !p.stopping, "the answer %s is no node that can work", a.text)
	w.must(w.manager[task], "task %s was answered before it was picked up", task)
	if on, again := w.placed[task]; again {
		w.must(on == a.text, "task %s is on %s and %s", task, on, a.text)
	}
	w.placed[task] = a.text
}

func (w *world) closeRequest(ref uint64) string {
	task, open := w.asked[ref]
	w.must(open, "request %d was answered twice", ref)
	delete(w.asked, ref)
	return task
}

func (w *world) noticed(n notice) {
	last := w.notices[n.body.Task]
	if n.key == "p.started" {
		w.must(last == "" || last != "p.started", "started twice: %s", n.body.Task)
	} else {
		w.must(last == "p.started", "%s of %s, which was not started", n.key, n.body.Task)
		delete(w.placed, n.body.Task)
	}
	w.notices[n.body.Task] = n.key
}

func (w *world) must(ok bool, format string, args ...any) {
	if !ok {
		w.t.Fatalf(format, args...)
	}
}

// check holds what is true after each input.
func (w *world) check() {
	p := w.pool
	onNodes := map[string]bool{}
	idle := 0
	for _, n := range p.nodes {
		for _, t := range n.tasks {
			w.must(!onNodes[t.name], "task %s is on two nodes", t.name)
			onNodes[t.name] = t.ending == nil || t.ending.release != sayNothing
			if on, answered := w.placed[t.name]; answered || t.claimBy.IsZero() {
				w.must(on == n.id, "task %s is on %s, callers were sent to %s", t.name, n.id, on)
			}
			w.must(t.ending != nil == (n.phase == stopping), "task %s is ending: %v, its node stopping: %v", t.name, t.ending != nil, n.phase == stopping)
			w.must(n.phase != starting || !t.claimBy.IsZero(), "%s has tasks before it is ready", n.id)
		}
		w.must(n.phase != stopping || len(n.waiting) == 0, "%s is waited for and is stopped", n.id)
		w.must(n.phase == stopping == w.processes[n.id].stopping, "%s", n.id)
		w.must(!p.policy.PerTask && !p.alone || distinct(n) <= 1, "%s has several tasks", n.id)
		if n.idle() && !w.now.Before(n.keptUntil) {
			idle++
		}
	}
	w.must(idle <= p.prerun(), "%d idle nodes of %d", idle, p.prerun())
	w.must(p.policy.MaxNodes < 0 || len(p.nodes) <= p.policy.MaxNodes, "%d nodes", len(p.nodes))
	w.must(len(p.nodes) == len(w.processes), "%d nodes, %d processes", len(p.nodes), len(w.processes))
	w.must(len(p.tasks) == len(onNodes), "%d tasks listed, %d on nodes", len(p.tasks), len(onNodes))
	maps.DeleteFunc(onNodes, func(_ string, counted bool) bool { return !counted })
	w.must(maps.Equal(onNodes, w.manager), "on nodes %v, picked up %v", onNodes, w.manager)
	w.checkWaiting()
	w.must(w.available != p.unavailable, "the manager believes %v", w.available)
	if p.draining {
		w.must(!w.available && idle == 0, "draining, available %v with %d idle", w.available, idle)
	}
}

// checkWaiting: every open request waits somewhere, and none for ever.
func (w *world) checkWaiting() {
	waiting := len(w.pool.queue)
	for _, n := range w.pool.nodes {
		waiting += len(n.waiting)
	}
	w.must(waiting == len(w.asked), "%d wait, %d are open", waiting, len(w.asked))
	next := w.pool.next()
	w.must(len(w.asked) == 0 || !next.IsZero() && !next.After(w.now.Add(w.pool.answerWithin)), "requests wait without an end")
	w.must(next.IsZero() || next.After(w.now), "the next tick is due already")
}

func distinct(n *node) int {
	names := map[string]bool{}
	for _, t := range n.tasks {
		names[t.name] = true
	}
	for _, r := range n.waiting {
		names[r.task] = true
	}
	return len(names)
}

func (w *world) pick(which func(*proc) bool) string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(w.processes)) {
		if which(w.processes[id]) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		w.t.Skip("no such node")
	}
	return rapid.SampledFrom(ids).Draw(w.t, "node")
}

func anyTask(t *rapid.T) string { return fmt.Sprint("t", rapid.IntRange(0, 5).Draw(t, "task")) }

func (w *world) getNode(t *rapid.T) {
	task, room := anyTask(t), fmt.Sprint("r", rapid.IntRange(0, 2).Draw(t, "room"))
	w.nextRef++
	w.asked[w.nextRef] = task
	_, running := w.placed[task]
	running = running && w.pool.running(task) != nil
	w.pool.getNode(w.now, w.nextRef, muster.TaskOrder{Room: room, Task: task, Spec: json.RawMessage(`1`)})
	w.absorb()
	_, open := w.asked[w.nextRef]
	w.must(!running || !open, "a running task was not answered at once")
}

func (w *world) ready(t *rapid.T) {
	id := w.pick(func(p *proc) bool { return !p.ready })
	w.processes[id].ready = true
	w.pool.nodeReady(w.now, id)
}

func (w *world) gone(t *rapid.T) {
	id := w.pick(func(*proc) bool { return true })
	var err error
	if rapid.Bool().Draw(t, "crash") {
		err = errors.New("exit status 1")
	}
	var before []string
	if n := w.pool.find(id); n.phase != stopping {
		for _, t := range n.tasks {
			before = append(before, t.name)
		}
	}
	delete(w.processes, id)
	w.pool.nodeGone(w.now, id, err)
	w.absorb()
	w.checkEnded(before, err)
}

// checkEnded: the tasks that ended with a node are remembered as what they are.
func (w *world) checkEnded(before []string, err error) {
	for _, task := range before {
		if w.manager[task] {
			continue
		}
		r, ok := w.pool.queryTask(w.now, task)
		w.must(ok && r.State == resultOf(err).State, "task %s ended as %q, the node with %v", task, r.State, err)
	}
}

func (w *world) notLaunched(t *rapid.T) {
	id := w.pick(func(p *proc) bool { return !p.ready })
	delete(w.processes, id)
	w.pool.notLaunched(w.now, id, errors.New("no such file"))
}

func (w *world) recycle(t *rapid.T) {
	task := anyTask(t)
	node := w.placed[task]
	var result *muster.TaskResult
	if rapid.Bool().Draw(t, "result") {
		result = &muster.TaskResult{State: muster.TaskDone}
	}
	w.nextRef++
	w.recycled[w.nextRef] = true
	w.pool.recycle(w.now, w.nextRef, node, muster.TaskEnd{Task: task, Result: result})
	w.absorb()
	w.must(node == "" || w.pool.running(task) == nil, "task %s was recycled and is not ending", task)
	w.must(result != nil || !w.recycled[w.nextRef], "an end in OWT's words was not answered at once")
}

func (w *world) drop(t *rapid.T) {
	task := anyTask(t)
	delete(w.manager, task) // as the worker does before its report
	w.pool.drop(w.now, []string{task})
}

func (w *world) pass(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond)
	w.pool.tick(w.now)
}

func (w *world) next(t *rapid.T) {
	if next := w.pool.next(); !next.IsZero() {
		w.now = next
	}
	w.pool.tick(w.now)
}

func TestPoolKeepsItsInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		step := func(f func(*rapid.T)) func(*rapid.T) {
			return func(inner *rapid.T) {
				w.t = inner
				f(inner)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"getNode": step(w.getNode), "getNode2": step(w.getNode), "ready": step(w.ready), "ready2": step(w.ready),
			"gone": step(w.gone), "notLaunched": step(w.notLaunched), "recycle": step(w.recycle), "drop": step(w.drop),
			"pass": step(w.pass), "next": step(w.next),
			"drain": step(func(t *rapid.T) {
				if rapid.IntRange(0, 20).Draw(t, "drain") == 0 {
					w.pool.drain(w.now)
				}
			}),
			"": func(t *rapid.T) { w.t = t; w.absorb(); w.check() },
		})
		w.end(t)
	})
}

// end closes the pool: nothing is left, and everybody was answered.
func (w *world) end(t *rapid.T) {
	w.t = t
	w.pool.close(w.now, "over")
	w.absorb()
	for _, id := range slices.Sorted(maps.Keys(w.processes)) {
		w.must(w.processes[id].stopping, "%s runs on", id)
		delete(w.processes, id)
		w.pool.nodeGone(w.now, id, nil)
		w.absorb()
	}
	w.check()
	w.must(len(w.asked)+len(w.recycled) == 0 && len(w.manager) == 0 && len(w.processes) == 0, "something is left")
}

// From any trouble an agent recovers once nodes live again.
func TestPoolRecovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(0, 12).Draw(t, "failures") {
			w.failSome(t)
		}
		for range 100 {
			for _, id := range slices.Sorted(maps.Keys(w.processes)) {
				if p := w.processes[id]; p.stopping {
					delete(w.processes, id)
					w.pool.nodeGone(w.now, id, nil)
				} else if !p.ready {
					p.ready = true
					w.pool.nodeReady(w.now, id)
				}
				w.absorb()
			}
			w.next(t)
			w.absorb()
			w.check()
		}
		w.must(w.available, "not available again after %d failures", w.pool.trouble.failures)
		most := w.pool.policy.MaxNodes
		if want := w.pool.prerun(); most < 0 || most >= want {
			w.must(w.pool.count((*node).idle) == want, "%d idle nodes", w.pool.count((*node).idle))
		}
	})
}

func (w *world) failSome(t *rapid.T) {
	for _, id := range slices.Sorted(maps.Keys(w.processes)) {
		if !w.processes[id].stopping {
			delete(w.processes, id)
			w.pool.nodeGone(w.now, id, errors.New("exit status 1"))
			w.absorb()
		}
	}
	w.check()
	w.next(t)
	w.absorb()
}

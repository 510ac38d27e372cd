package simtest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/raft"
	"github.com/muster-fleet/muster/internal/state"
)

// taskKey names a task.
type taskKey struct{ purpose, task string }

func (k taskKey) String() string { return k.purpose + " " + k.task }

// span is where a task is from a time on: on a worker, or nowhere.
type span struct {
	from   time.Duration
	worker string
}

// truth is what the cluster as a whole has done, put together from what each
// manager applies: the first one to apply an entry of the log says what is in
// it, all others must agree.
type truth struct {
	sim      *Sim
	leaders  map[[2]uint64]string     // by generation and term: who led
	states   map[[2]uint64]uint64     // by generation and index: a sum of the state
	acked    map[[2]uint64]uint64     // by generation and term: the highest index that was answered
	silent   map[uint64]time.Duration // of workers, when their loss was proposed, by the seed of that command
	gen      uint64                   // of the cluster that there is now
	index    uint64                   // the highest that was applied anywhere
	by       *link                    // by whom first
	on       map[taskKey]string       // where the tasks are
	spans    map[taskKey][]span
	broken   map[taskKey]bool          // released at some time, by whatever cause
	until    map[taskKey]time.Duration // before which a reservation must not end
	numbers  map[taskKey]uint64        // of the placements in force; 0 where a snapshot is all that is known
	proposed map[uint64]time.Duration  // when commands were, by their seeds

	heard map[string]time.Duration    // when workers last heard that they are known
	times map[[2]uint64]time.Duration // by generation and index: when it was first applied

	drains map[uint64]muster.DrainState // as they were answered

	answers    int // that were checked
	staleReads int // of those that were answered from a stale state
	placed     int
	doubled    int // answers that came a second time
	seen       map[[2]any]bool
}

func newTruth(s *Sim) *truth {
	return &truth{
		sim: s, leaders: map[[2]uint64]string{}, states: map[[2]uint64]uint64{}, acked: map[[2]uint64]uint64{}, silent: map[uint64]time.Duration{},
		on: map[taskKey]string{}, spans: map[taskKey][]span{}, broken: map[taskKey]bool{}, until: map[taskKey]time.Duration{}, numbers: map[taskKey]uint64{}, heard: map[string]time.Duration{}, times: map[[2]uint64]time.Duration{}, proposed: map[uint64]time.Duration{}, seen: map[[2]any]bool{}, drains: map[uint64]muster.DrainState{},
	}
}

// turned is a manager that leads, or does no longer, as its Raft has it.
func (t *truth) turned(k *link, role replica.Role) {
	t.sim.logf("%s is %s of term %d, leader %q", k.m.name, role.Kind, role.Term, role.Leader)
	if role.Kind != replica.Leader {
		return
	}
	key := [2]uint64{k.core.ClusterID(), role.Term}
	if other, ok := t.leaders[key]; ok && other != k.String() {
		t.sim.failf("two leaders in term %d: %s and %s", role.Term, other, k)
	}
	t.leaders[key] = k.String()
}

// compareEvery is at how many entries in which nothing happened states are
// compared once. Where something happened they always are.
const compareEvery = 8

// before is called before a commit is done. The first to come to an index is
// whose word counts.
func (t *truth) before(k *link, done raft.Commit) {
	k.changed = false
	if done.Index == 0 || k.gen == 0 {
		return
	}
	if k.gen != t.gen {
		t.begin(k)
	}
	if done.Index == t.index+1 {
		t.index, t.by = done.Index, k
		t.times[[2]uint64{k.gen, t.index}] = t.sim.now
	}
}

// begin is a cluster that was formed. Where there was another one before, its
// managers have lost its log.
func (t *truth) begin(k *link) {
	if t.gen != 0 && !t.sim.mayForget {
		t.sim.failf("%s is in another cluster: the log was forgotten", k)
	}
	t.gen, t.index = k.gen, 0
	for _, key := range t.tasks() {
		t.move(key, "")
	}
}

// after is called when a commit was done.
func (t *truth) after(k *link, done raft.Commit) {
	if done.Role != nil && done.Role.Kind == replica.Leader {
		t.leads(k, done.Role.Term)
	}
	if done.Index == 0 || k.gen == 0 {
		return
	}
	if k.changed || done.Index%compareEvery == 0 {
		t.compare(k)
	}
	if k.gen == t.gen && done.Index > t.index { // a snapshot: no manager has applied the entries before it
		t.index = done.Index
		t.times[[2]uint64{k.gen, t.index}] = t.sim.now
		t.adopt(k.State())
	}
}

// compare holds the state against that of others at the same index.
func (t *truth) compare(k *link) {
	snap := k.State().Snapshot()
	sum := uint64(len(snap))<<32 | uint64(binary.BigEndian.Uint32(snap[len(snap)-4:])) // it ends with its checksum
	key := [2]uint64{k.gen, k.copy.Index()}
	if other, ok := t.states[key]; ok && other != sum {
		t.sim.failf("states differ at index %d: %s has another one", key[1], k)
	}
	t.states[key] = sum
}

// leads checks that a new leader has everything that was answered in earlier
// terms. One that was stopped and wakes up leads in its own old term, and
// learns of the later one next.
func (t *truth) leads(k *link, term uint64) {
	s := t.sim
	var answered uint64
	for key, at := range t.acked {
		if key[0] == k.gen && key[1] < term {
			answered = max(answered, at)
		}
	}
	if k.copy.Index() < answered {
		s.failf("%s leads with entries up to %d: entry %d was answered", k, k.copy.Index(), answered)
	}
	if k.gen != t.gen || k.copy.Index() != t.index {
		return
	}
	for _, key := range t.tasks() {
		if w, err := k.State().Scheduled(key.purpose, key.task); err != nil || w != t.on[key] {
			s.failf("%s leads and has %s on %q: it is on %s", k, key, w, t.on[key])
		}
	}
}

// applied is a command that a manager applied.
func (t *truth) applied(k *link, cmd state.Command, events []muster.Event) {
	k.changed = k.changed || len(events) > 0
	if k.gen != t.gen || k.index != t.index || t.by != k {
		return
	}
	t.granted(k, cmd, events)
	for _, e := range events {
		switch e := e.(type) {
		case muster.TaskReserved:
			t.reserved(k, taskKey{e.Purpose, e.Task}, e.Worker)
			t.numbers[taskKey{e.Purpose, e.Task}] = e.Placement
			t.hold(taskKey{e.Purpose, e.Task}, e.ReserveMillis, t.proposed[cmd.Seed])
		case muster.TaskPickedUp:
			t.pickedUp(k, taskKey{e.Purpose, e.Task}, e.Worker)
			t.numbers[taskKey{e.Purpose, e.Task}] = e.Placement
		case muster.TaskReleased:
			t.released(k, taskKey{e.Purpose, e.Task}, cmd.Op, e)
		case muster.WorkerJoined:
			t.sim.logf("%d: %s joined", k.index, e.Worker)
			t.heard[e.Worker] = t.sim.now
		case muster.WorkerLeft:
			t.left(k, t.silent[cmd.Seed], e)
		}
	}
}

// reserved is a placement, or one that is prolonged.
func (t *truth) reserved(k *link, key taskKey, worker string) {
	switch now := t.on[key]; now {
	case worker:
	case "":
		t.placed++
		t.move(key, worker)
		t.sim.logf("%d: %s is placed on %s", k.index, key, worker)
		w, ok := k.State().Worker(worker)
		if w.Drain != 0 {
			t.sim.failf("%s was placed on %s, which drain %d keeps tasks from", key, worker, w.Drain)
		}
		if n := len(w.Tasks) + len(w.Reserved); !ok || n > t.limit(worker) {
			t.sim.failf("%s was placed on %s, which has %d tasks then: it takes %d", key, worker, n, t.limit(worker))
		}
	default:
		t.sim.failf("%s is placed on %s, and on %s already", key, worker, now)
	}
}

// granted checks a claim that is granted, before what it changes: the placement that
// its caller was given must be in force, or the caller comes too late.
func (t *truth) granted(k *link, cmd state.Command, events []muster.Event) {
	op, ok := cmd.Op.(state.ClaimTask)
	if !ok || op.Placement == 0 {
		return
	}
	for _, e := range events {
		e, ok := e.(muster.TaskClaimed)
		if !ok {
			continue
		}
		key := taskKey{e.Purpose, e.Task}
		now := t.numbers[key]
		if t.on[key] != op.Worker || now != 0 && now != op.Placement {
			t.sim.failf("%d: %s may begin %s as placement %d: it is on %q as %d", k.index, op.Worker, key, op.Placement, t.on[key], now)
		}
	}
}

// hold notes how long a reservation must last at least: managers' clocks may go
// a tenth too fast to become right, and tell milliseconds. It begins when a
// leader proposes it.
func (t *truth) hold(key taskKey, reserve int64, since time.Duration) {
	least := time.Duration(reserve) * time.Millisecond * 10 / 11
	t.until[key] = max(t.until[key], since+least-5*time.Millisecond)
	if reserve == 0 {
		delete(t.until, key) // given up while it runs
	}
}

// limit is the max_tasks of a worker by the world's own word, not the state's.
func (t *truth) limit(id string) int {
	if w := t.sim.workerOf(id); w != nil && w.maxTasks > 0 {
		return w.maxTasks
	}
	return 1 << 30
}

func (t *truth) pickedUp(k *link, key taskKey, worker string) {
	switch now := t.on[key]; now {
	case worker:
	case "":
		t.move(key, worker)
	default:
		t.sim.failf("%s is picked up by %s: it is on %s", key, worker, now)
	}
	t.sim.logf("%d: %s is picked up by %s", k.index, key, worker)
}

// begun is a worker that begins a task, which it may have been told at some time
// since it asked, and which must not bring it above what it takes.
func (t *truth) begun(w *simWorker, key taskKey, asked time.Duration) {
	if !t.held(key, asked, func(worker string) bool { return worker == w.id() }) {
		t.sim.failf("%s begins %s, which was never there since %s: %s", w.id(), key, millis(asked), t.where(key))
	}
	if tasks := w.stepped.Tasks(); w.maxTasks > 0 && len(tasks) > w.maxTasks {
		t.sim.failf("%s begins %s and runs %v: it takes %d", w.id(), key, tasks, w.maxTasks)
	}
}

func (t *truth) move(key taskKey, worker string) {
	if worker == "" {
		delete(t.on, key)
		delete(t.until, key)
		delete(t.numbers, key)
		t.broken[key] = true
	} else {
		t.on[key] = worker
	}
	t.spans[key] = append(t.spans[key], span{t.sim.now, worker})
}

// adopt takes over what a snapshot says.
func (t *truth) adopt(s *state.State) {
	now := map[taskKey]string{}
	for _, task := range s.AllTasks("") {
		now[taskKey{task.Purpose, task.Task}] = task.Worker
	}
	for _, key := range t.tasks() {
		if now[key] != t.on[key] {
			t.move(key, "")
		}
	}
	for _, task := range s.AllTasks("") {
		if key := (taskKey{task.Purpose, task.Task}); t.on[key] == "" {
			t.move(key, task.Worker)
		}
	}
}

// tasks are those that are somewhere, in an order that does not change.
func (t *truth) tasks() []taskKey { return slices.SortedFunc(maps.Keys(t.on), compareKeys) }

// held reports whether something was true of a task at some time from a call to now.
func (t *truth) held(key taskKey, since time.Duration, holds func(worker string) bool) bool {
	spans := t.spans[key]
	for i := len(spans) - 1; i >= 0; i-- {
		if holds(spans[i].worker) {
			return true
		}
		if spans[i].from < since {
			return false
		}
	}
	return holds("")
}

// where is a task's history, for a report.
func (t *truth) where(key taskKey) string {
	text := "it was nowhere"
	for _, s := range t.spans[key] {
		where := "on " + s.worker
		if s.worker == "" {
			where = "nowhere"
		}
		text += fmt.Sprintf(", from %s %s", millis(s.from), where)
	}
	return text
}

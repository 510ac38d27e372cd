package state

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/muster-fleet/muster"
)

// oracle is the cluster as lists that are scanned: what State must agree with.
// It shares nothing with State but the vocabulary.
type oracle struct {
	cfg     Config
	now     muster.Instant
	seq     int
	workers []*oracleWorker // in join order
	tasks   []*oracleTask   // in the order in which each was reserved or picked up last
	memory  map[string]*oracleMemory
	why     map[string]muster.Explanation
	placed  uint64 // the highest placement number

	operators oracleHeld
}

type oracleWorker struct {
	id, purpose string
	seq         int
	info        muster.Info
	state       muster.WorkerState
	reported    bool
	load        float64
	credit      int64
	ended       bool
}

type oracleTask struct {
	purpose, name  string
	on             *oracleWorker
	reserve        int64
	until          muster.Instant
	debit          int64
	running, fresh bool
	placement      uint64
	claim          uint64
}

// runsBy reports whether a word with that number may end the run.
func (t *oracleTask) runsBy(number uint64) bool {
	if number == 0 {
		return true
	}
	if t.claim != 0 {
		return number == t.claim
	}
	return number == t.placement
}

type oracleMemory struct {
	cost, seen  int64
	cursor      int
	last, spare *oracleWorker
}

func newOracle(cfg Config) *oracle {
	return &oracle{cfg: cfg, memory: map[string]*oracleMemory{}, why: map[string]muster.Explanation{}, operators: newOracleHeld()}
}

func nano(f float64) int64 { return int64(math.Round(f * 1e9)) }

func (o *oracle) find(id string) *oracleWorker {
	for _, w := range o.workers {
		if w.id == id {
			return w
		}
	}
	return nil
}

func (o *oracle) task(purpose, name string) *oracleTask {
	for _, t := range o.tasks {
		if t.purpose == purpose && t.name == name {
			return t
		}
	}
	return nil
}

func (o *oracle) held(w *oracleWorker) (n int, debit int64) {
	for _, t := range o.tasks {
		if t.on == w {
			n++
			debit += t.debit
		}
	}
	return n, debit
}

func (o *oracle) score(w *oracleWorker) int64 {
	_, debit := o.held(w)
	return nano(w.load) + debit
}

// charged is what counts against the limit: the debit only where it is known.
func (o *oracle) charged(w *oracleWorker) int64 {
	mode := o.debits().Mode
	if mode == DebitFixed || mode == DebitLearned && o.memory[w.purpose].seen >= 10 {
		return o.score(w)
	}
	return nano(w.load)
}

func (o *oracle) drop(gone func(*oracleTask) bool) {
	for _, t := range o.tasks {
		if gone(t) && t.running {
			t.on.ended = true
		}
	}
	o.tasks = slices.DeleteFunc(o.tasks, gone)
}

// last moves a task to the end of the list.
func (o *oracle) last(t *oracleTask) {
	o.tasks = append(slices.DeleteFunc(o.tasks, func(u *oracleTask) bool { return u == t }), t)
}

func (o *oracle) remove(w *oracleWorker) {
	if d := o.drainOf(w); d != nil {
		for _, t := range o.tasks {
			if t.on == w {
				d.lost++
			}
		}
	}
	o.drop(func(t *oracleTask) bool { return t.on == w })
	o.workers = slices.DeleteFunc(o.workers, func(v *oracleWorker) bool { return v == w })
	m := o.memory[w.purpose]
	if m.last == w {
		m.last = nil
	}
	if m.spare == w {
		m.spare = nil
	}
	o.departed(w.id)
}

func (o *oracle) apply(cmd Command) Result {
	o.now = max(o.now, cmd.At)
	fail := func(failed bool) Result {
		if failed {
			return Result{Err: fmt.Errorf("refused")}
		}
		return Result{}
	}
	switch op := cmd.Op.(type) {
	case Join:
		return o.join(op)
	case Quit:
		return o.leave(op.Worker)
	case WorkerLost:
		return o.leave(op.Worker)
	case ReportState:
		w := o.find(op.Worker)
		if w == nil || op.State < 0 || op.State > 2 {
			return fail(true)
		}
		w.state = op.State
	case ReportLoad:
		bad := false
		for _, r := range op.Loads {
			w := o.find(r.Worker)
			if w == nil {
				continue
			}
			if math.IsNaN(r.Load) || math.IsInf(r.Load, 0) || r.Load < 0 {
				bad = true
				continue
			}
			o.load(w, r.Load)
		}
		return fail(bad)
	case PickUpTasks:
		w := o.find(op.Worker)
		if w == nil {
			return fail(true)
		}
		for _, name := range op.Tasks {
			o.pickUp(w, name)
		}
	case ClaimTask:
		return o.claim(op)
	case LayDownTask:
		w := o.find(op.Worker)
		if w == nil {
			return fail(true)
		}
		t := o.task(w.purpose, op.Task)
		if t == nil || t.on != w || !t.running || !t.runsBy(op.Placement) {
			return fail(true)
		}
		o.putDown(t)
		if o.drainOf(w) != nil {
			o.drop(func(u *oracleTask) bool { return u == t })
		}
	case Unschedule:
		w := o.find(op.Worker)
		if w == nil {
			return fail(true)
		}
		t := o.task(w.purpose, op.Task)
		if t == nil || t.on != w || op.Placement != t.placement && !t.runsBy(op.Placement) {
			return fail(true)
		}
		if t.running {
			t.reserve = 0
		} else {
			o.drop(func(u *oracleTask) bool { return u == t })
		}
	case Expire:
		o.drop(func(t *oracleTask) bool { return !t.running && t.until <= o.now })
	case Configure:
		o.cfg = op.Config
	case Schedule:
		return o.schedule(op, cmd.Seed)
	case ScheduleMany:
		result := Result{Many: []Result{}}
		for i, task := range op.Tasks {
			result.Many = append(result.Many, o.schedule(task, cmd.Seed+uint64(i)*0xd1342543de82ef95))
		}
		return result
	case Drain:
		return o.drain(op)
	case Undrain:
		return o.undrain(op)
	case Cordon:
		return o.cordon(op)
	case StepDrains:
		o.stepDrains()
	case SetStrategy:
		_, configured := o.cfg.Strategies[op.Purpose]
		if o.memory[op.Purpose] == nil && !configured {
			return fail(true)
		}
		o.operators.strategies[op.Purpose] = op.Strategy
	case SetDebit:
		o.operators.debit = &op.Debit
		if op.Reset {
			o.operators.debit = nil
		}
	}
	return Result{}
}

func (o *oracle) putDown(t *oracleTask) {
	t.on.ended = true
	t.running, t.fresh = false, false
	t.until = o.now + muster.Instant(t.reserve)
	o.last(t)
	if t.reserve == 0 {
		o.drop(func(u *oracleTask) bool { return u == t })
	}
}

func (o *oracle) join(op Join) Result {
	w := o.find(op.Worker)
	process := Incarnation(op.Info.Raw)
	if w != nil && process != "" && process < Incarnation(w.info.Raw) {
		return Result{Err: muster.ReasonReplaced}
	}
	already := w != nil && w.purpose == op.Purpose
	if w != nil && w.purpose != op.Purpose {
		o.remove(w)
		w = nil
	}
	if o.memory[op.Purpose] == nil {
		o.memory[op.Purpose] = &oracleMemory{cost: 1e7, cursor: -1}
	}
	if w == nil {
		o.seq++
		w = &oracleWorker{id: op.Worker, purpose: op.Purpose, seq: o.seq}
		o.workers = append(o.workers, w)
	} else {
		for _, t := range slices.Clone(o.tasks) {
			switch {
			case t.on != w || !t.running, process != "" && process == Incarnation(w.info.Raw):
			case t.reserve == 0 && process == "":
				t.reserve = o.cfg.ReserveMillis
				o.putDown(t)
				t.reserve = 0
			default:
				o.putDown(t)
			}
		}
	}
	same := process != "" && process == Incarnation(w.info.Raw)
	w.info = op.Info
	if !same {
		w.state, w.reported = muster.StateUnreported, false
	}
	if !w.reported {
		w.load = op.Info.MaxLoad
	}
	o.arrived(w)
	return Result{Already: already}
}

func (o *oracle) leave(id string) Result {
	w := o.find(id)
	if w == nil {
		return Result{Err: muster.ReasonNoWorker(id)}
	}
	o.remove(w)
	return Result{}
}

func (o *oracle) load(w *oracleWorker, load float64) {
	var fresh int64
	for _, t := range o.tasks {
		if t.on == w && t.fresh {
			fresh++
			t.fresh, t.debit = false, 0
		}
	}
	if fresh > 0 && w.reported && !w.ended && o.debits().Mode == DebitLearned {
		m := o.memory[w.purpose]
		added := (nano(load) - nano(w.load)) / fresh
		added = min(max(added, nano(o.debits().Floor)), 5e8)
		m.cost += (added - m.cost) / 10
		m.seen++
	}
	w.reported, w.load, w.ended = true, load, false
}

func (o *oracle) pickUp(w *oracleWorker, name string) {
	t := o.task(w.purpose, name)
	if t == nil {
		t = &oracleTask{purpose: w.purpose, name: name, on: w, reserve: o.cfg.ReserveMillis, placement: o.number()}
	} else if t.on != w || t.running {
		return
	}
	t.running, t.fresh, t.until = true, true, 0
	o.last(t)
}

func (o *oracle) number() uint64 {
	o.placed = max(o.placed+1, uint64(o.now))
	return o.placed
}

func (o *oracle) claim(op ClaimTask) Result {
	w := o.find(op.Worker)
	if w == nil {
		return Result{Err: muster.ReasonNoWorker(op.Worker)}
	}
	if process := Incarnation(w.info.Raw); process != "" && op.Incarnation != "" && process != op.Incarnation {
		return Result{Err: muster.ReasonReplaced}
	}
	t := o.task(w.purpose, op.Task)
	held, _ := o.held(w)
	switch {
	case t != nil && t.on != w:
		return Result{Err: muster.ReasonTaskElsewhere}
	case t != nil && op.Placement != 0 && op.Placement != t.placement, t == nil && op.Placement != 0:
		return Result{Err: muster.ReasonPlacementOver}
	case t == nil && w.info.MaxTasks > 0 && held >= w.info.MaxTasks:
		return Result{Err: muster.ReasonNoSlot}
	}
	number := max(o.placed+1, uint64(o.now))
	o.pickUp(w, op.Task)
	o.placed, o.task(w.purpose, op.Task).claim = number, number
	return Result{Worker: w.id, Placement: number}
}

func (o *oracle) debit(m *oracleMemory) int64 {
	switch o.debits().Mode {
	case DebitFixed:
		return nano(o.debits().Fixed)
	case DebitLearned:
		return max(m.cost, nano(o.debits().Floor))
	}
	return 0
}

func (o *oracle) schedule(op Schedule, seed uint64) Result {
	reserve := op.ReserveMillis
	if reserve <= 0 {
		reserve = o.cfg.ReserveMillis
	}
	reserve = min(reserve, MaxReserveMillis)
	t := o.task(op.Purpose, op.Task)
	if t != nil && (!o.handsBack(t.on) || !o.canPlace(op)) {
		t.reserve = max(t.reserve, reserve)
		if !t.running {
			t.until = max(t.until, o.now+muster.Instant(t.reserve))
		}
		return Result{Worker: t.on.id, Info: t.on.info.Raw, Placement: t.placement, Already: true}
	}
	why := muster.Explanation{Purpose: op.Purpose, Task: op.Task, At: o.now}
	defer func() { // of a task that is handed back, once the new place is chosen
		if t != nil {
			t.on.ended = t.on.ended || t.running
			o.tasks = slices.DeleteFunc(o.tasks, func(u *oracleTask) bool { return u == t })
		}
	}()
	w, err := o.place(op, seed, &why)
	o.why[op.Purpose+" "+op.Task] = why
	if err != nil {
		why.Reason = err.Error()
		o.why[op.Purpose+" "+op.Task] = why
		return Result{Err: err, Explanation: &why}
	}
	number := o.number()
	o.tasks = append(o.tasks, &oracleTask{
		purpose: op.Purpose, name: op.Task, on: w, reserve: reserve, placement: number,
		until: o.now + muster.Instant(reserve), debit: o.debit(o.memory[op.Purpose]),
	})
	return Result{Worker: w.id, Info: w.info.Raw, Placement: number, Explanation: &why}
}

// dump is all that a copy shows of itself, as text.
func (o *oracle) dump() string {
	var b strings.Builder
	for _, w := range o.workers {
		_, debit := o.held(w)
		fmt.Fprintf(&b, "%s %s %v %v %.9f", w.id, w.purpose, w.state, w.load, float64(debit)/1e9)
		for _, running := range []bool{true, false} {
			for _, t := range o.tasks {
				if t.on == w && t.running == running {
					fmt.Fprintf(&b, " %s %v %d #%d", t.name, t.running, t.until, t.placement)
				}
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s *State) dump() string {
	var b strings.Builder
	held := map[string][]Task{}
	for _, t := range s.AllTasks("") {
		held[t.Worker] = append(held[t.Worker], t)
	}
	for _, id := range s.Workers(AllPurposes) {
		w, _ := s.Worker(id)
		fmt.Fprintf(&b, "%s %s %v %v %.9f", w.ID, w.Purpose, w.State, w.Load, w.Debit)
		for _, t := range held[id] {
			fmt.Fprintf(&b, " %s %v %d #%d", t.Task, t.Running, t.Until, t.Placement)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

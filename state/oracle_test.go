package state

import (
	"fmt"
	"math"
	"math/bits"
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
}

type oracleWorker struct {
	id, purpose string
	seq         int
	info        muster.Info
	state       muster.State
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
}

type oracleMemory struct {
	cost        int64
	cursor      int
	last, spare *oracleWorker
}

func newOracle(cfg Config) *oracle {
	return &oracle{cfg: cfg, memory: map[string]*oracleMemory{}, why: map[string]muster.Explanation{}}
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
	o.drop(func(t *oracleTask) bool { return t.on == w })
	o.workers = slices.DeleteFunc(o.workers, func(v *oracleWorker) bool { return v == w })
	m := o.memory[w.purpose]
	if m.last == w {
		m.last = nil
	}
	if m.spare == w {
		m.spare = nil
	}
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
		o.join(op)
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
	case LayDownTask:
		w := o.find(op.Worker)
		if w == nil {
			return fail(true)
		}
		t := o.task(w.purpose, op.Task)
		if t == nil || t.on != w || !t.running {
			return fail(true)
		}
		o.putDown(t)
	case Unschedule:
		w := o.find(op.Worker)
		if w == nil {
			return fail(true)
		}
		t := o.task(w.purpose, op.Task)
		if t == nil || t.on != w {
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

func (o *oracle) join(op Join) {
	w := o.find(op.Worker)
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
			if t.on == w && t.running {
				o.putDown(t)
			}
		}
	}
	w.info, w.state, w.reported = op.Info, muster.StateUnreported, false
	w.load = op.Info.MaxLoad
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
	if fresh > 0 && w.reported && !w.ended && o.cfg.Debit.Mode == DebitLearned {
		m := o.memory[w.purpose]
		added := (nano(load) - nano(w.load)) / fresh
		added = min(max(added, nano(o.cfg.Debit.Floor)), 5e8)
		m.cost += (added - m.cost) / 10
	}
	w.reported, w.load, w.ended = true, load, false
}

func (o *oracle) pickUp(w *oracleWorker, name string) {
	t := o.task(w.purpose, name)
	if t == nil {
		t = &oracleTask{purpose: w.purpose, name: name, on: w, reserve: o.cfg.ReserveMillis}
	} else if t.on != w || t.running {
		return
	}
	t.running, t.fresh, t.until = true, true, 0
	o.last(t)
}

func (o *oracle) debit(m *oracleMemory) int64 {
	switch o.cfg.Debit.Mode {
	case DebitFixed:
		return nano(o.cfg.Debit.Fixed)
	case DebitLearned:
		return max(m.cost, nano(o.cfg.Debit.Floor))
	}
	return 0
}

func (o *oracle) schedule(op Schedule, seed uint64) Result {
	reserve := op.ReserveMillis
	if reserve <= 0 {
		reserve = o.cfg.ReserveMillis
	}
	reserve = min(reserve, MaxReserveMillis)
	if t := o.task(op.Purpose, op.Task); t != nil {
		t.reserve = max(t.reserve, reserve)
		if !t.running {
			t.until = max(t.until, o.now+muster.Instant(t.reserve))
		}
		return Result{Worker: t.on.id, Info: t.on.info.Raw, Already: true}
	}
	why := muster.Explanation{Purpose: op.Purpose, Task: op.Task, At: o.now}
	w, err := o.place(op, seed, &why)
	o.why[op.Purpose+" "+op.Task] = why
	if err != nil {
		why.Reason = err.Error()
		o.why[op.Purpose+" "+op.Task] = why
		return Result{Err: err, Explanation: &why}
	}
	o.tasks = append(o.tasks, &oracleTask{
		purpose: op.Purpose, name: op.Task, on: w, reserve: reserve,
		until: o.now + muster.Instant(reserve), debit: o.debit(o.memory[op.Purpose]),
	})
	return Result{Worker: w.id, Info: w.info.Raw, Explanation: &why}
}

func (o *oracle) place(op Schedule, seed uint64, why *muster.Explanation) (*oracleWorker, error) {
	why.Strategy = o.cfg.General
	if s, ok := o.cfg.Strategies[op.Purpose]; ok {
		why.Strategy = s
	}
	m := o.memory[op.Purpose]
	if m == nil {
		return nil, muster.ReasonNoScheduler(op.Purpose)
	}
	for _, w := range o.workers {
		if w.purpose == op.Purpose {
			why.Workers++
		}
	}
	pref, err := muster.ParsePreference(op.Preference)
	if err != nil {
		return nil, err
	}
	var all []*oracleWorker
	anyone := false
	for _, w := range o.workers {
		if w.purpose != op.Purpose {
			continue
		}
		anyone = anyone || o.dynamic(w) < 0
		rule := oracleMatch(w, pref)
		if rule < 0 {
			rule = o.dynamic(w)
		}
		if rule >= 0 {
			why.Excluded[rule]++
		} else {
			all = append(all, w)
		}
	}
	if slices.Contains([]string{"webrtc", "portal", "streaming", "audio", "video"}, op.Purpose) && pref.Region != "" {
		var inside []*oracleWorker
		for _, w := range all {
			if slices.Contains(w.info.Capacity.Regions, pref.Region) {
				inside = append(inside, w)
			}
		}
		if len(inside) > 0 {
			why.Excluded[muster.RuleRegion] = len(all) - len(inside)
			all = inside
		}
	}
	why.Candidates = len(all)
	switch {
	case !anyone:
		return nil, muster.ReasonNotScheduled(op.Purpose, muster.ReasonAllFull)
	case len(all) == 0:
		return nil, muster.ReasonNotScheduled(op.Purpose, muster.ReasonNoMatch)
	}
	order, scores := o.order(why.Strategy, m, all, seed)
	for i, w := range order[:min(len(order), 4)] {
		_, debit := o.held(w)
		c := muster.Candidate{Worker: w.id, Load: w.load, Debit: float64(debit) / 1e9, Score: scores[i]}
		if i == 0 {
			why.Chosen = &c
		} else {
			why.Others = append(why.Others, c)
		}
	}
	m.cursor, m.last = order[0].seq, order[0]
	return order[0], nil
}

// dynamic returns the rule that keeps the worker out for now, or -1.
func (o *oracle) dynamic(w *oracleWorker) muster.Rule {
	n, _ := o.held(w)
	switch {
	case w.state != 2 && w.state != -1:
		return muster.RuleNotReady
	case !w.reported || o.score(w) >= nano(w.info.MaxLoad):
		return muster.RuleFull
	case w.info.MaxTasks > 0 && n >= w.info.MaxTasks:
		return muster.RuleSlots
	}
	return -1
}

// oracleMatch returns the rule that keeps the worker out for good, or -1.
func oracleMatch(w *oracleWorker, p muster.Preference) muster.Rule {
	c := w.info.Capacity
	switch w.purpose {
	case "webrtc", "portal", "streaming", "audio", "video":
		if len(c.ISPs) > 0 && !slices.Contains(c.ISPs, p.ISP) {
			return muster.RuleISP
		}
	}
	if w.purpose == "video" {
		offered := muster.Formats{}
		if c.Video != nil {
			offered = *c.Video
		}
		for _, f := range p.Video.Encode {
			if !slices.Contains(offered.Encode, f) {
				return muster.RuleCodec
			}
		}
		for _, f := range p.Video.Decode {
			if !slices.Contains(offered.Decode, f) {
				return muster.RuleCodec
			}
		}
	}
	if w.purpose == "analytics" && (p.Algorithm == "" || !slices.Contains(c.Algorithms, p.Algorithm)) {
		return muster.RuleCodec
	}
	for _, l := range p.Labels {
		if !l.Matches(w.info.Labels) {
			return muster.RuleLabel
		}
	}
	return -1
}

// order sorts the candidates as the strategy would take them, with scores.
func (o *oracle) order(s muster.Strategy, m *oracleMemory, all []*oracleWorker, seed uint64) ([]*oracleWorker, []float64) {
	load := func(w *oracleWorker) int64 { return o.score(w) }
	less := func(a, b *oracleWorker) int { return int(load(a)-load(b))*1000000 + a.seq - b.seq }
	order := slices.Clone(all)
	n := len(all)
	var scores []float64
	turn := func(first int) []*oracleWorker { return slices.Concat(all[first:], all[:first]) }
	switch s {
	case muster.LeastUsed:
		slices.SortFunc(order, less)
	case muster.MostUsed:
		slices.SortFunc(order, func(a, b *oracleWorker) int { return less(b, a) })
	case muster.RoundRobin:
		first := 0
		for i := range all {
			if all[i].seq > m.cursor {
				first = i
				break
			}
		}
		return turn(first), []float64{0, 1, 2, 3}
	case muster.LastUsed:
		if i := slices.Index(order, m.last); i >= 0 {
			order = append([]*oracleWorker{m.last}, slices.Delete(order, i, i+1)...)
		}
		return order, []float64{0, 1, 2, 3}
	case muster.RandomlyPick:
		r := oracleDice(seed, 1)
		order = turn(oracleBelow(r[0], n))
	case muster.TwoChoices:
		order = o.twoChoices(m, all, seed, less)
	case muster.WeightRobin:
		var total int64
		for _, w := range all {
			weight := min(max((1e9-load(w))/1e7, 0), 100)
			if load(w) >= 1e9 {
				weight = 0
			}
			w.credit += weight
			total += weight
		}
		slices.SortStableFunc(order, func(a, b *oracleWorker) int { return int(b.credit - a.credit) })
		for _, w := range order {
			scores = append(scores, float64(w.credit))
		}
		order[0].credit -= total
		return order, scores
	}
	for _, w := range order {
		scores = append(scores, float64(load(w))/1e9)
	}
	return order, scores
}

func (o *oracle) twoChoices(m *oracleMemory, all []*oracleWorker, seed uint64, less func(a, b *oracleWorker) int) []*oracleWorker {
	r := oracleDice(seed, 2)
	i := oracleBelow(r[0], len(all))
	order := []*oracleWorker{all[i]}
	if len(all) > 1 {
		rest := slices.Delete(slices.Clone(all), i, i+1)
		order = append(order, rest[oracleBelow(r[1], len(rest))])
	}
	if slices.Contains(all, m.spare) && !slices.Contains(order, m.spare) {
		order = append(order, m.spare)
	}
	slices.SortFunc(order, less)
	m.spare = nil
	if len(order) > 1 {
		m.spare = order[1]
	}
	return order
}

func oracleDice(seed uint64, n int) (out []uint64) {
	for range n {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb
		out = append(out, z^(z>>31))
	}
	return out
}

func oracleBelow(r uint64, n int) int {
	high, _ := bits.Mul64(r, uint64(n))
	return int(high)
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
					fmt.Fprintf(&b, " %s %v %d", t.name, t.running, t.until)
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
			fmt.Fprintf(&b, " %s %v %d", t.Task, t.Running, t.Until)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

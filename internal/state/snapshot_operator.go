package state

import (
	"maps"
	"math"
	"slices"

	"github.com/muster-fleet/muster"
)

// operators writes what operators did.
func (w writer) operators(s *State) {
	w.Uint(uint64(len(s.steering.strategies)))
	for _, purpose := range slices.Sorted(maps.Keys(s.steering.strategies)) {
		w.Text(purpose)
		w.Text(string(s.steering.strategies[purpose]))
	}
	w.Bool(s.steering.debit != nil)
	if s.steering.debit != nil {
		w.debit(*s.steering.debit)
	}
	w.Uint(s.lastDrain)
	w.Uint(uint64(len(s.drains)))
	for _, d := range s.drains {
		w.drain(d)
	}
	w.Uint(uint64(len(s.cordons)))
	for _, id := range slices.Sorted(maps.Keys(s.cordons)) {
		w.Text(id)
		w.Int(int64(s.cordons[id].gone))
	}
	w.Uint(s.audited)
	w.Uint(uint64(len(s.audit)))
	for i := range s.audit {
		w.auditEntry(&s.audit[i])
	}
	w.departed(s.departed)
}

// operators reads what operators did. Workers are added later, and find out for
// themselves what holds them.
func (r reader) operators(s *State) {
	for range r.Count() {
		purpose, strategy := r.Text(), muster.Strategy(r.Text())
		r.Check(slices.Contains(muster.Strategies, strategy) && s.steering.strategies[purpose] == "")
		s.steering.strategies[purpose] = strategy
	}
	if r.Bool() {
		debit := r.debit()
		r.Check(debit.validate() == nil)
		s.steering.debit = &debit
	}
	if r.Bad() {
		return
	}
	s.applyConfig()
	r.drains(s)
	for range r.Count() {
		id := r.Text()
		r.Check(s.cordons[id] == nil)
		s.cordons[id] = &cordon{gone: r.past(s)}
	}
	s.audited = r.Uint()
	for n := r.Count(); n > 0 && !r.Bad(); n-- {
		s.audit = append(s.audit, r.auditEntry())
	}
	r.Check(len(s.audit) <= muster.MaxAudit)
	r.departed(s)
}

// past reads a time that is not in the future.
func (r reader) past(s *State) muster.Instant { return muster.Instant(r.between(0, int64(s.now))) }

func (w writer) drain(d *drain) {
	w.Uint(d.id)
	w.order(&d.order)
	for _, at := range []muster.Instant{d.since, d.deadline, d.emptied, d.ended} {
		w.Int(int64(at))
	}
	w.Text(string(d.state))
	w.Bool(d.overdue)
	for _, n := range []int{d.workers, d.total, d.remaining, d.lost} {
		w.Int(int64(n))
	}
	w.Uint(uint64(len(d.members)))
	for _, m := range d.members {
		w.Text(m.worker)
		w.Text(m.purpose)
		w.Int(int64(m.total))
		w.Bool(m.off)
		w.Int(int64(m.gone))
	}
}

func (r reader) drains(s *State) {
	s.lastDrain = r.Uint()
	before := uint64(0)
	for n := r.Count(); n > 0 && !r.Bad(); n-- {
		d := r.drain(s)
		r.Check(d.id > before && d.id <= s.lastDrain)
		before = d.id
		s.drains = append(s.drains, d)
	}
	r.Check(len(s.drains) <= muster.MaxDrains)
}

func (r reader) drain(s *State) *drain {
	d := &drain{id: r.Uint(), order: r.order(), byWorker: map[string]*member{}}
	d.since, d.deadline = r.past(s), muster.Instant(r.between(0, math.MaxInt64))
	d.emptied, d.ended = r.past(s), r.past(s)
	d.state = muster.DrainState(r.Text())
	r.Check(d.state == muster.DrainRunning || d.state == muster.DrainCalledOff || d.state == muster.DrainOver)
	r.Check(slices.Contains(muster.DrainPolicies, d.order.Policy))
	d.overdue = r.Bool()
	d.workers, d.total, d.remaining = r.figure(), r.figure(), r.figure()
	if r.version > 3 {
		d.lost = r.figure()
	}
	for n := r.Count(); n > 0 && !r.Bad(); n-- {
		m := &member{worker: r.Text(), purpose: r.Text(), total: r.figure(), off: r.Bool(), gone: r.past(s)}
		r.Check(d.active() && d.member(m.worker) == nil)
		d.add(m)
	}
	return d
}

// figure reads a number of workers or tasks.
func (r reader) figure() int { return int(r.between(0, math.MaxInt32)) }

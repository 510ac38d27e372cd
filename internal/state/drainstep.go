package state

import (
	"fmt"
	"slices"

	"github.com/muster-fleet/muster"
)

// DrainsDue reports whether StepDrains would do anything at that time.
func (s *State) DrainsDue(now muster.Instant) bool {
	now = max(now, s.now)
	for _, d := range s.drains {
		if d.active() && (d.deserted() || s.isOverdue(d, now) || s.isEmptied(d) || slices.ContainsFunc(d.members, func(m *member) bool { return isForgotten(m.gone, now) })) {
			return true
		}
	}
	for _, c := range s.cordons {
		if isForgotten(c.gone, now) {
			return true
		}
	}
	return false
}

func isForgotten(gone, now muster.Instant) bool { return gone != 0 && now-gone >= GoneMemory }

func (s *State) isOverdue(d *drain, now muster.Instant) bool {
	return d.deadline != 0 && !d.overdue && now >= d.deadline && s.left(d) > 0
}

func (s *State) isEmptied(d *drain) bool {
	return d.emptied == 0 && len(d.members)+d.workers > 0 && s.left(d) == 0
}

// left is how many tasks are on the workers of a drain that is in force.
func (s *State) left(d *drain) (n int) {
	for _, m := range d.members {
		if w := s.workers[m.worker]; w != nil && w.drain == d {
			n += w.running.n + w.reserved.n
		}
	}
	return n
}

// stepDrains is the operation StepDrains.
func (s *State) stepDrains() {
	for _, d := range s.drains {
		if !d.active() {
			continue
		}
		if s.isOverdue(d, s.now) {
			left := s.left(d)
			s.do(muster.DrainOverdue{Drain: d.id})
			s.record(muster.Operator{Name: "muster"}, "deadline", fmt.Sprintf("drain %d", d.id), fmt.Sprintf("%d tasks left", left), string(d.order.Policy))
		}
		if s.isEmptied(d) {
			s.do(muster.DrainEmptied{Drain: d.id})
		}
		s.forgetGone(d)
	}
	s.endDeserted()
	s.forgetCordons()
}

// forgetGone forgets the workers that left for good. A drain of such only is
// over.
func (s *State) forgetGone(d *drain) {
	gone := func(m *member) bool { return isForgotten(m.gone, s.now) }
	if len(d.members) == 0 || !slices.ContainsFunc(d.members, gone) {
		return
	}
	if !d.order.Sticky && !slices.ContainsFunc(d.members, func(m *member) bool { return !gone(m) && !m.off }) {
		s.end(d, muster.DrainOver)
		return
	}
	s.do(muster.DrainTrimmed{Drain: d.id})
}

func (s *State) foldTrimmed(e muster.DrainTrimmed) {
	if d := s.drain(e.Drain); d != nil {
		d.forget(func(m *member) bool { return isForgotten(m.gone, s.now) })
	}
}

func (s *State) foldOverdue(e muster.DrainOverdue) {
	if d := s.drain(e.Drain); d != nil {
		d.overdue = true
	}
}

func (s *State) foldEmptied(e muster.DrainEmptied) {
	if d := s.drain(e.Drain); d != nil {
		d.emptied = s.now
	}
}

// handsBack reports whether the worker's tasks go to another worker when their
// callers ask for one again: its drain's deadline has passed.
func (w *worker) handsBack() bool {
	return w.drain != nil && w.drain.overdue && w.drain.order.Policy != muster.DrainWait
}

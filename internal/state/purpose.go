package state

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
)

// PurposeMemory is for how many milliseconds a purpose is remembered that has no
// workers: long enough for the last of them to start again, so that what its
// tasks cost need not be learned once more.
const PurposeMemory = 10 * 60 * 1000

// purpose is the scheduler of one purpose. It exists from the first join of the
// purpose on, and without workers for PurposeMemory, or for as long as the
// configuration names it.
type purpose struct {
	name              string
	pool              *sched.Pool
	cost              sched.Cost
	lasts             lasts
	salt              uint32 // of the hashes of its tasks
	reserved, running int
	// vacant is since when it has had no workers, while it has none.
	vacant muster.Instant
}

func (p *purpose) isVacant() bool { return p.pool.Tally().Workers == 0 }

// vacantSince is since when it has had no workers, 0 where it has some.
func (p *purpose) vacantSince() muster.Instant {
	if !p.isVacant() {
		return 0
	}
	return p.vacant
}

// purpose returns the purpose of that name, a new one where there is none.
func (s *State) purpose(name string) *purpose {
	p := s.purposes[name]
	if p == nil {
		pool := sched.NewPool(name, s.strategy(name))
		pool.Limit(s.limits)
		p = &purpose{name: name, pool: pool, cost: sched.NewCost(), vacant: s.now}
		p.salt = s.tasks.hash(&purpose{}, name)
		s.purposes[name] = p
		s.trust(p)
	}
	return p
}

// admitPurpose makes room for a purpose. Where there are as many as there may
// be, the one goes first that has been without workers for longest.
func (s *State) admitPurpose(name string) error {
	if s.purposes[name] != nil || len(s.purposes) < muster.MaxPurposes {
		return nil
	}
	idle := s.vacantPurposes()
	if len(idle) == 0 {
		return fmt.Errorf("the cluster has %d purposes, as many as it may: take out the workers of another one first", len(s.purposes))
	}
	s.do(muster.PurposeForgotten{Purpose: idle[0].name})
	return nil
}

// forgetPurposes is the operation ForgetPurposes.
func (s *State) forgetPurposes() {
	for _, p := range s.vacantPurposes() {
		if s.isDue(p) {
			s.do(muster.PurposeForgotten{Purpose: p.name})
		}
	}
}

// PurposesDue reports whether ForgetPurposes would forget any.
func (s *State) PurposesDue() bool {
	for _, p := range s.purposes {
		if s.isForgettable(p) && s.isDue(p) {
			return true
		}
	}
	return false
}

func (s *State) isDue(p *purpose) bool { return s.now-p.vacant >= PurposeMemory }

// isForgettable reports whether a purpose has no workers, and the configuration
// does not name it.
func (s *State) isForgettable(p *purpose) bool {
	_, configured := s.cfg.Strategies[p.name]
	return !configured && p.isVacant()
}

// vacantPurposes returns those without workers that the configuration does not
// name, the one that has been so for longest first.
func (s *State) vacantPurposes() []*purpose {
	var idle []*purpose
	for _, p := range s.purposes {
		if s.isForgettable(p) {
			idle = append(idle, p)
		}
	}
	slices.SortFunc(idle, func(a, b *purpose) int {
		return cmp.Or(cmp.Compare(a.vacant, b.vacant), cmp.Compare(a.name, b.name))
	})
	return idle
}

func (s *State) foldForgotten(e muster.PurposeForgotten) {
	if p := s.purposes[e.Purpose]; p != nil && p.isVacant() {
		delete(s.purposes, e.Purpose)
	}
}

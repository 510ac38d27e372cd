package simtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// settleTime is how long the cluster may take to be well when all faults are
// over: longer than lost workers take to be noticed.
const settleTime = 12 * time.Second

// mend ends all faults. What was killed starts again.
func (s *Sim) mend() {
	s.net.lost, s.net.doubled, s.net.late = 0, 0, 0
	s.heal()
	for _, m := range s.managers {
		m.slow = 0
		m.resume()
		if !m.up {
			m.boot()
		}
	}
	for _, w := range s.workers {
		w.resume()
		if !w.up {
			w.boot()
		}
	}
	for _, c := range s.callers {
		c.resume()
	}
}

// settle waits until the cluster is well, which it must be soon.
func (s *Sim) settle() {
	s.logf("all faults are over")
	s.mend()
	s.closing = true
	next := s.now
	well := s.until(settleTime, func() bool {
		if s.now < next {
			return false
		}
		next = s.now + 20*time.Millisecond
		return s.ill() == nil
	})
	if !well && s.err == nil {
		s.failf("not well %v after all faults were over: %w", settleTime, s.ill())
	}
	s.judge()
}

// ill says what is not as it should be yet.
func (s *Sim) ill() error {
	for _, c := range s.callers {
		if c.open > 0 {
			return fmt.Errorf("%s waits for answers", c.name)
		}
	}
	if err := s.illManagers(); err != nil {
		return err
	}
	return s.illWorkers(s.leader().link.State())
}

func (s *Sim) illManagers() error {
	lead := s.leader()
	if lead == nil {
		return errNoLeader
	}
	role := lead.link.Role()
	for _, m := range s.managers {
		r := m.link.Role()
		follows := r.Kind == replica.Follower && r.Leader == lead.name
		if r.Term != role.Term || m != lead && !follows {
			return fmt.Errorf("%s is %s of term %d, while %s leads in term %d", m.name, r.Kind, r.Term, lead.name, role.Term)
		}
		if lag := int(lead.link.copy.Index()) - int(m.link.copy.Index()); lag > 10 {
			return fmt.Errorf("%s is %d entries behind", m.name, lag)
		}
	}
	return s.illMembers()
}

// illMembers: every manager votes, under the id that it has now.
func (s *Sim) illMembers() error {
	for _, m := range s.managers {
		members := m.link.core.Status().Members
		if len(members) != len(s.managers) {
			return fmt.Errorf("%s knows %d managers", m.name, len(members))
		}
		for _, other := range members {
			if o := s.manager(other.Addr); !other.Voter || o.link.core.Status().ID != other.ID {
				return fmt.Errorf("%s does not know the vote of %s", m.name, other.Addr)
			}
		}
	}
	return nil
}

func (s *Sim) illWorkers(st *state.State) error {
	if n := len(st.Workers(state.AllPurposes)); n != s.workersUp() {
		return fmt.Errorf("%d workers are known instead of %d", n, s.workersUp())
	}
	for _, w := range s.workers {
		if !w.up {
			continue
		}
		tasks, ok := st.Tasks(w.id())
		if !ok || !w.stepped.Joined() {
			return fmt.Errorf("%s is no member", w.id())
		}
		slices.Sort(tasks)
		if own := slices.Sorted(slices.Values(w.stepped.Tasks())); !slices.Equal(tasks, own) {
			return fmt.Errorf("%s runs %v, the state says %v", w.id(), own, tasks)
		}
	}
	return nil
}

func (s *Sim) workersUp() int {
	n := 0
	for _, w := range s.workers {
		if w.up {
			n++
		}
	}
	return n
}

package simtest

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// Report is what a simulation came to.
type Report struct {
	// Faults, Calls and Placed count; Unanswered are calls that ended without
	// an answer while there were faults, Checked the answers that were held
	// against the truth, Again those of them that came a second time. Refused
	// are claims of workers, Dropped tasks that a worker had to give up.
	// Stale are answers from a stale state.
	Faults, Calls, Unanswered, Placed, Checked, Again int
	Refused, Dropped, Stale                           int
	// Virtual is how much time passed.
	Virtual time.Duration
	// History is empty unless it was asked for.
	History string
}

// chaosTime is how long there are faults.
const chaosTime = 4 * time.Second

// Run runs the simulation of a seed: a cluster of a size and with faults that
// the seed draws. The error is what must not be and was, a panic included.
func Run(seed uint64, record bool) (r Report, err error) {
	s := newSim(draw(seed, record))
	defer func() {
		if p := recover(); p != nil {
			r.History, err = s.told(), fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	faults := s.chaos()
	s.settle()
	r = Report{
		Faults: faults, Placed: s.truth.placed, Checked: s.truth.answers, Again: s.truth.doubled,
		Refused: s.refused, Dropped: s.dropped, Stale: s.truth.staleReads,
		Virtual: s.now, History: s.told(),
	}
	for _, c := range s.callers {
		r.Calls += c.done
		r.Unanswered += c.given
	}
	return r, s.err
}

// draw chooses what a seed is a simulation of.
func draw(seed uint64, record bool) options {
	rng := rand.New(rand.NewPCG(seed, 1))
	opts := options{Seed: seed, Managers: 3, Durable: rng.IntN(2) == 0, Callers: 2 + rng.IntN(3), Record: record}
	switch rng.IntN(10) {
	case 0, 1, 2:
		opts.Managers = 5
	case 3:
		opts.Managers = 1
	}
	for _, purpose := range []string{"webrtc", "video", "recording"}[:1+rng.IntN(3)] {
		opts.Workers = append(opts.Workers, group{Purpose: purpose, Count: 2 + rng.IntN(5), MaxTasks: rng.IntN(3) * (1 + rng.IntN(4))})
	}
	opts.Lossy = rng.IntN(3) == 0
	return opts
}

// chaos lets faults happen for a while.
func (s *Sim) chaos() (faults int) {
	s.run(s.between(100*time.Millisecond, time.Second))
	s.net.lost, s.net.doubled, s.net.late = s.rng.IntN(30), s.rng.IntN(30), s.rng.IntN(100)
	s.net.slow = s.between(time.Millisecond, 80*time.Millisecond)
	s.logf("of a thousand messages %d are lost, %d doubled, %d up to %v late", s.net.lost, s.net.doubled, s.net.late, s.net.slow)
	for end := s.now + chaosTime; s.now < end && s.err == nil; faults++ {
		s.fault()
		s.run(s.between(10*time.Millisecond, 500*time.Millisecond))
	}
	return faults
}

// fault makes something go wrong, often to the leader.
func (s *Sim) fault() {
	m := s.victim()
	switch k := s.rng.IntN(100); {
	case k < 18:
		s.killFor(m)
	case k < 36:
		m.pause()
		s.after(s.between(20*time.Millisecond, 2500*time.Millisecond), m.resume)
	case k < 56:
		s.cutSomething(m)
	case k < 66:
		s.heal()
	case k < 71:
		m.clock += s.between(-time.Hour, time.Hour)
		s.logf("the clock of %s jumps to %v", m.name, m.clock)
	case k < 76:
		m.slow = s.between(0, 400*time.Millisecond)
		s.logf("the disk of %s takes %v more", m.name, m.slow)
	case k < 80:
		s.alarm(m)
	case k < 84:
		if m.runs() && s.mayLose(m) {
			m.hand()
		}
	case k < 95:
		s.workerFault()
	case k < 97:
		s.broker.block(s.between(50*time.Millisecond, 3*time.Second)) // longer than a worker may be silent
	default:
		s.broker.restart(s.between(10*time.Millisecond, 400*time.Millisecond))
	}
}

// victim is a manager: half of the time the leader.
func (s *Sim) victim() *simManager {
	if lead := s.leader(); lead != nil && s.chance(500) {
		return lead
	}
	return s.managers[s.rng.IntN(len(s.managers))]
}

// killFor kills a manager for a while, or starts one that was.
func (s *Sim) killFor(m *simManager) {
	switch {
	case !m.up:
		m.boot()
	case s.mayLose(m):
		if m.durable && s.chance(200) && s.mayLoseLog() {
			s.logf("%s loses its disk", m.name)
			m.kill()
			m.disk = disk{}
		} else {
			m.kill()
		}
		life := m.life
		s.after(s.between(10*time.Millisecond, 1500*time.Millisecond), func() {
			if !m.up && m.life == life {
				m.boot()
			}
		})
	}
}

// mayLose reports whether a manager may end now: one without a disk loses its
// log, which is one fault until it has its vote again.
func (s *Sim) mayLose(m *simManager) bool { return m.up && (m.durable || s.mayLoseLog()) }

// mayLoseLog reports whether all managers have theirs.
func (s *Sim) mayLoseLog() bool {
	for _, m := range s.managers {
		if !m.up || m.link.core.ClusterID() == 0 {
			return false
		}
	}
	return len(s.managers) > 1 && s.illMembers() == nil
}

// cutSomething cuts managers from each other, from the queue, or both.
func (s *Sim) cutSomething(m *simManager) {
	other := s.managers[s.rng.IntN(len(s.managers))]
	switch s.rng.IntN(6) {
	case 0: // one way
		if other != m {
			s.cut(m.name, other.name)
		}
	case 1: // one way, to all others or from them
		for _, o := range s.managers {
			if o != m && s.chance(800) {
				s.cut(m.name, o.name)
			}
		}
	case 2: // from the others, not from the queue
		s.split([]string{m.name}, s.without(m, false))
	case 3: // from the queue, not from the others
		s.split([]string{m.name}, []string{queueName})
	case 4: // from everything
		s.split([]string{m.name}, s.without(m, true))
	default: // the queue is heard, and does not hear
		s.cut(m.name, queueName)
	}
}

// without are the names of the other managers, and perhaps the queue's.
func (s *Sim) without(m *simManager, queue bool) []string {
	var names []string
	for _, o := range s.managers {
		if o != m {
			names = append(names, o.name)
		}
	}
	if queue {
		names = append(names, queueName)
	}
	return names
}

// alarm is a manager that wrongly takes the leader for gone.
func (s *Sim) alarm(m *simManager) {
	if lead := s.leader(); lead != nil && m.runs() && m != lead {
		s.logf("%s believes that %s is gone", m.name, lead.name)
		m.link.peerGone(lead)
	}
}

// workerFault does something to a worker.
func (s *Sim) workerFault() {
	w := s.workers[s.rng.IntN(len(s.workers))]
	switch k := s.rng.IntN(10); {
	case !w.up:
		w.boot()
	case k < 3:
		w.kill()
	case k < 5:
		w.pause()
		s.after(s.between(100*time.Millisecond, 4*time.Second), w.resume)
	case k < 8:
		s.split([]string{w.name}, []string{queueName})
	case k < 9:
		if w.runs() {
			w.drain(s.chance(500))
		}
	default:
		if w.runs() {
			w.quit()
		}
	}
}

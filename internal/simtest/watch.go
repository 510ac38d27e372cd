package simtest

import (
	"encoding/json"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

// watch is what the simulation knows of a manager beside what the manager knows.
type watch struct {
	// steady is since when it runs without a break, on one connection.
	steady time.Duration
	// lost is when it last heard that the queue is away or takes no messages.
	lost time.Duration
	// held are the calls that it has not answered, by their arrival.
	held map[*letter]time.Duration
	// role is its role, since when it has it, and alone since when it knows no
	// leader.
	role         replica.Role
	since, alone time.Duration
}

func newWatch(now time.Duration) watch {
	return watch{steady: now, since: now, lost: now, alone: now, held: map[*letter]time.Duration{}}
}

// turned notes the role that its owner adopts.
func (w *watch) turned(role replica.Role, now time.Duration) {
	if role == w.role {
		return
	}
	if w.role.Kind != replica.Candidate && role.Kind == replica.Candidate {
		w.alone = now
	}
	w.role, w.since = role, now
}

// takes notes a call that arrived. A keep-alive need not be answered: it is
// repeated anyway.
func (w *watch) takes(l *letter, now time.Duration) {
	if l.method != "keepAlive" {
		w.held[l] = now
	}
}

const (
	// holdCheck is how often managers are looked at for calls that they hold.
	holdCheck = 100 * time.Millisecond
	// mayHold is how long a manager may hold a call: as long as one may wait for
	// a leader, and the time to decide it.
	mayHold = bus.DefaultTimeout*time.Millisecond + 500*time.Millisecond
)

// checkHeld checks that a call is answered, refused or given back in time.
func (m *simManager) checkHeld() {
	var oldest *letter
	for l, since := range m.watch.held {
		if first := m.watch.held[oldest]; oldest == nil || since < first || since == first && l.before(oldest) {
			oldest = l
		}
	}
	if oldest == nil {
		return
	}
	if since := max(m.watch.held[oldest], m.watch.steady); m.sim.now-since > mayHold {
		m.sim.failf("%s holds %s since %s", m.name, oldest, millis(m.watch.held[oldest]))
	}
}

// announces checks who says that it leads.
func (t *truth) announces(m *simManager, key string, body json.RawMessage) {
	t.sim.logf("%s publishes %s %s", m.name, key, body)
	var said struct{ Term uint64 }
	if key != "lead.me" {
		return
	}
	if err := json.Unmarshal(body, &said); err != nil || !m.leads() || said.Term != m.link.Role().Term {
		t.sim.failf("%s announces that it leads in term %d: it is %s of term %d (%v)", m.name, said.Term, m.link.Role().Kind, m.link.Role().Term, err)
	}
}

// stale checks an answer from a stale state: it may say no more than it is, and is
// given by one only that knows no leader, and could hear of none for staleAfter.
func (t *truth) stale(m *simManager, l *letter, r bus.Reply) {
	s := t.sim
	t.staleReads++
	if alone := s.now - m.watch.alone; m.watch.role.Kind != replica.Candidate || alone < staleAfter || r.Stale < alone {
		s.failf("%s (%s for %v) answers %s from a state that it says is %v old", m.name, m.watch.role.Kind, alone, l, r.Stale)
	}
	if lost := s.now - m.watch.lost; lost < staleAfter {
		s.failf("%s serves stale reads, and lost the queue %v ago: it may not have heard the leader", m.name, lost)
	}
	for _, other := range s.managers {
		if since := s.inTouch(m, other); since >= 0 && s.now-since > hearTime(s) {
			s.failf("%s serves stale reads, and %s leads: both reach the queue since %s", m.name, other.name, millis(since))
		}
	}
	l.known = min(l.known, t.overtaken(m.link.gen, m.link.copy.Index()))
}

// hearTime is how long a manager may take to hear of a leader: until it asks, and
// while the question and the answer travel.
func hearTime(s *Sim) time.Duration { return staleAfter/4 + 6*max(s.net.slow, time.Millisecond) }

// inTouch is since when another manager leads, and the queue carries messages
// between the two; negative where that is not so.
func (s *Sim) inTouch(m, other *simManager) time.Duration {
	b := s.broker
	if other == m || !other.runs() || !other.leads() || !b.up || s.now < b.blocked {
		return -1
	}
	since := max(b.blocked, b.since, other.watch.since)
	for _, one := range []*simManager{m, other} {
		c := one.conn
		if c == nil || !c.clientOpen || !c.queueOpen || s.net.isCut(one.name, queueName) || s.net.isCut(queueName, one.name) {
			return -1
		}
		since = max(since, one.watch.steady, s.net.changed[one.name])
	}
	return since
}

// overtaken is when a state at an index was no longer the last one.
func (t *truth) overtaken(gen, index uint64) time.Duration {
	for i := index + 1; i <= t.index; i++ {
		if at, ok := t.times[[2]uint64{gen, i}]; ok {
			return at
		}
	}
	return t.sim.now
}

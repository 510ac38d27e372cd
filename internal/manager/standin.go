package manager

import (
	"time"

	"github.com/muster-fleet/muster/internal/replica"
)

// standIn decides when a manager answers look-ups from a state that nobody
// vouches for: when no leader was known here, nor heard of over the message
// queue, for a while. It has no clock. It belongs to the goroutine that owns the
// state.
//
//	follows, leads ──▶ waits ── after ──▶ stands in
//	      ▲             ▲  └── doubt ──┐     │
//	      └── a role ───┴──────────────┴─────┘
type standIn struct {
	// after is how long it waits; 0 means for ever.
	after time.Duration
	// last is the role before nobody led. Of its term 0 the state was never
	// vouched for.
	last replica.Role
	// vouched is until when the state was known to be up to date, since from
	// when nobody was heard to lead.
	vouched, since time.Time
	unled, on      bool
	// elsewhere is when another manager was heard to lead last.
	elsewhere time.Time
}

// follow tells the role that this manager has from now on.
func (s *standIn) follow(role replica.Role, now time.Time) {
	switch {
	case role.Kind != replica.Candidate:
		s.last, s.unled, s.on = role, false, false
	case !s.unled:
		s.unled, s.vouched, s.since = true, now, now
	}
}

// doubt tells that somebody may lead whom this manager does not know.
func (s *standIn) doubt(now time.Time) { s.since, s.on = now, false }

// look turns it on when it is time, and tells whether it is on, and whether it
// was off before.
func (s *standIn) look(now time.Time) (on, begins bool) {
	if s.on || !s.unled || s.after <= 0 || s.last.Term == 0 || now.Sub(s.since) < s.after {
		return s.on, false
	}
	s.on = true
	return true, true
}

// age is how old the state is.
func (s *standIn) age(now time.Time) time.Duration { return now.Sub(s.vouched) }

// lookUps are the methods that only look, and may be answered from a state that
// is old. What changes something waits for a leader, and so do signs of life:
// one that is answered tells a worker that the manager has all that it sent
// before.
var lookUps = map[string]bool{
	"getWorkerAttr": true, "getWorkers": true, "getTasks": true, "getScheduled": true, "getClusterID": true,
	"why": true, "listWorkers": true, "listTasks": true, "status": true,
}

// standInRoom is how many requests wait at a manager that stands in: fewer than
// a queue gives it at a time, or look-ups could not reach it any more.
const standInRoom = 128

// isSoonRepeated tells that a request need not wait: its sender repeats it, and
// most requests of a large fleet are of these.
func isSoonRepeated(it item) bool {
	return it.req.Method == "keepAlive" || it.req.Method == "reportLoad"
}

func isLookUp(it item) bool { return lookUps[it.req.Method] }

// followUnled takes up the role for what concerns times without a leader.
func (m *Manager) followUnled() {
	role, stood := m.core.role, m.standIn.on
	m.standIn.follow(role, time.Now())
	if m.hearsay != nil {
		m.hearsay.follow(role)
	}
	if stood && !m.standIn.on {
		m.leaveStandIn("there is a leader again")
	} else if !stood {
		m.office.take(role)
	}
	m.watchUnled()
}

// watchUnled has the next look for a leader begun, where one is needed.
func (m *Manager) watchUnled() {
	m.unled.Stop()
	if m.standIn.unled && m.standIn.after > 0 && m.hearsay != nil {
		token(m.hearsay.ask)
		m.unled.Reset(askEvery(m.standIn.after))
	}
}

// lookForLeader stands in for a leader when it is time.
func (m *Manager) lookForLeader() {
	now := time.Now()
	m.doubt(now)
	if _, begins := m.standIn.look(now); begins {
		m.enterStandIn()
	}
	m.watchUnled()
}

// doubt makes the manager wait anew where it heard of a leader, or could not
// hear, since the last look.
func (m *Manager) doubt(now time.Time) {
	heard, losses := m.hearsay.heard.Load(), m.link.losses.Load()
	if heard != m.heard {
		m.standIn.elsewhere = now
	}
	if heard == m.heard && losses == m.losses {
		return
	}
	m.heard, m.losses = heard, losses
	stood := m.standIn.on
	m.standIn.doubt(now)
	if stood {
		m.leaveStandIn("another manager may lead")
	}
}

// enterStandIn answers look-ups from now on. It takes requests with the term of
// the last leader, so that the queue prefers the next one.
func (m *Manager) enterStandIn() {
	m.core.stale = func() time.Duration { return m.standIn.age(time.Now()) }
	m.log.Warn("the managers have no quorum: look-ups are answered from the last state, changes wait, no worker is given up",
		"age", m.core.stale())
	m.office.take(replica.Role{Kind: replica.Leader, Term: m.standIn.last.Term})
	m.settle(m.lot.leave(isLookUp))
}

// leaveStandIn ends that.
func (m *Manager) leaveStandIn(why string) {
	m.log.Info("look-ups are not answered from the last state any more: "+why, "after", m.core.stale())
	m.core.stale = nil
	m.office.take(m.core.role)
	if m.core.role.Kind == replica.Candidate {
		m.settle(m.lot.leave(nil))
	}
}

// answersStale tells whether the request is answered here though nobody leads.
func (m *Manager) answersStale(it item) bool {
	if !m.standIn.on || !isLookUp(it) {
		return false
	}
	m.doubt(time.Now())
	return m.standIn.on
}

// ledElsewhere tells whether another manager was heard to lead lately.
func (m *Manager) ledElsewhere() bool {
	return !m.standIn.elsewhere.IsZero() && time.Since(m.standIn.elsewhere) < 2*askEvery(m.standIn.after)
}

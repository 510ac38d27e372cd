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
type staleReads struct {
	// after is how long it waits; 0 means for ever.
	after time.Duration
	// last is the role before nobody led. Of its term 0 the state was never
	// vouched for.
	last replica.Role
	// vouched is until when the state was known to be up to date, since from
	// when nobody was heard to lead.
	confirmed, since time.Time
	leaderless, on   bool
	// elsewhere is when another manager was heard to lead last.
	otherLeader time.Time
}

// follow tells the role that this manager has from now on.
func (s *staleReads) follow(role replica.Role, now time.Time) {
	switch {
	case role.Kind != replica.Candidate:
		s.last, s.leaderless, s.on = role, false, false
	case !s.leaderless:
		s.leaderless, s.confirmed, s.since = true, now, now
	}
}

// doubt tells that somebody may lead whom this manager does not know.
func (s *staleReads) restart(now time.Time) { s.since, s.on = now, false }

// look turns it on when it is time, and tells whether it is on, and whether it
// was off before.
func (s *staleReads) check(now time.Time) (on, begins bool) {
	if s.on || !s.leaderless || s.after <= 0 || s.last.Term == 0 || now.Sub(s.since) < s.after {
		return s.on, false
	}
	s.on = true
	return true, true
}

// age is how old the state is.
func (s *staleReads) age(now time.Time) time.Duration { return now.Sub(s.confirmed) }

// staleReadsRoom is how many requests wait at a manager that stands in: fewer than
// a queue gives it at a time, or look-ups could not reach it any more.
const staleReadsRoom = 128

// isSoonRepeated tells that a request need not wait: its sender repeats it, and
// most requests of a large fleet are of these.
func isSoonRepeated(it item) bool {
	return it.req.Method == "keepAlive" || it.req.Method == "reportLoad"
}

// followLeaderless takes up the role for what concerns times without a leader.
func (m *Manager) followLeaderless() {
	role, stood := m.core.role, m.staleReads.on
	m.staleReads.follow(role, time.Now())
	if m.beacon != nil {
		m.beacon.follow(role)
	}
	if stood && !m.staleReads.on {
		m.stopStaleReads("there is a leader again")
	} else if !stood {
		m.server.setRole(role)
	}
	m.watchLeaderless()
}

// watchLeaderless has the next look for a leader begun, where one is needed.
func (m *Manager) watchLeaderless() {
	m.leaderless.Stop()
	if m.staleReads.leaderless && m.staleReads.after > 0 && m.beacon != nil {
		token(m.beacon.ask)
		m.leaderless.Reset(askEvery(m.staleReads.after))
	}
}

// lookForLeader stands in for a leader when it is time.
func (m *Manager) lookForLeader() {
	now := time.Now()
	m.recheckLeader(now)
	if _, begins := m.staleReads.check(now); begins {
		m.startStaleReads()
	}
	m.watchLeaderless()
}

// doubt makes the manager wait anew where it heard of a leader, or could not
// hear, since the last look.
func (m *Manager) recheckLeader(now time.Time) {
	heard, losses := m.beacon.heard.Load(), m.link.losses.Load()
	if heard != m.heard {
		m.staleReads.otherLeader = now
	}
	if heard == m.heard && losses == m.losses {
		return
	}
	m.heard, m.losses = heard, losses
	stood := m.staleReads.on
	m.staleReads.restart(now)
	if stood {
		m.stopStaleReads("another manager may lead")
	}
}

// startStaleReads answers look-ups from now on. It takes requests with the term of
// the last leader, so that the queue prefers the next one.
func (m *Manager) startStaleReads() {
	m.core.stale = func() time.Duration { return m.staleReads.age(time.Now()) }
	m.log.Warn("the managers have no quorum: look-ups are answered from the last state, changes wait, no worker is given up",
		"age", m.core.stale())
	m.server.setRole(replica.Role{Kind: replica.Leader, Term: m.staleReads.last.Term})
	m.doAll(m.parked.take(isLookUp))
}

// stopStaleReads ends that.
func (m *Manager) stopStaleReads(why string) {
	m.log.Info("look-ups are not answered from the last state any more: "+why, "after", m.core.stale())
	m.core.stale = nil
	m.server.setRole(m.core.role)
	if m.core.role.Kind == replica.Candidate {
		m.doAll(m.parked.take(nil))
	}
}

// answersStale tells whether the request is answered here though nobody leads.
func (m *Manager) answersStale(it item) bool {
	if !m.staleReads.on || !isLookUp(it) {
		return false
	}
	m.recheckLeader(time.Now())
	return m.staleReads.on
}

// ledElsewhere tells whether another manager was heard to lead lately.
func (m *Manager) ledElsewhere() bool {
	return !m.staleReads.otherLeader.IsZero() && time.Since(m.staleReads.otherLeader) < 2*askEvery(m.staleReads.after)
}

package manager

import (
	"time"

	"github.com/muster-fleet/muster/internal/replica"
)

// staleReads decides when a manager answers look-ups from its last state, which
// may be stale: after a time in which it knew no leader, and heard of none over
// the message queue. It has no clock. Only the goroutine that owns the state uses
// it.
//
//	follows, leads ──▶ waits ── after ──▶ serves stale reads
//	      ▲             ▲  └─ restart ─┐     │
//	      └── a role ───┴──────────────┴─────┘
type staleReads struct {
	// after is how long it waits; 0 disables stale reads.
	after time.Duration
	// last is the last role with a leader. If its term is 0, the state was never
	// confirmed by one.
	last replica.Role
	// vouched is until when the state was known to be up to date, since from
	// when nobody was heard to lead.
	confirmed, since time.Time
	leaderless, on   bool
	// otherLeader is when another leader was last heard of.
	otherLeader time.Time
}

// follow adopts the role of this manager.
func (s *staleReads) follow(role replica.Role, now time.Time) {
	switch {
	case role.Kind != replica.Candidate:
		s.last, s.leaderless, s.on = role, false, false
	case !s.leaderless:
		s.leaderless, s.confirmed, s.since = true, now, now
	}
}

// restart starts the wait anew: an unknown leader may exist.
func (s *staleReads) restart(now time.Time) { s.since, s.on = now, false }

// check turns stale reads on when the wait has passed. It reports whether they
// are on, and whether they just began.
func (s *staleReads) check(now time.Time) (on, begins bool) {
	if s.on || !s.leaderless || s.after <= 0 || s.last.Term == 0 || now.Sub(s.since) < s.after {
		return s.on, false
	}
	s.on = true
	return true, true
}

// age is how old the state is.
func (s *staleReads) age(now time.Time) time.Duration { return now.Sub(s.confirmed) }

// staleReadsRoom is how many requests stay parked while stale reads are served:
// fewer than the queue delivers at a time, or look-ups could not arrive.
const staleReadsRoom = 128

// isSoonRepeated reports whether the sender repeats a request anyway, so that it
// need not wait. Most requests of a large fleet are of this kind.
func isSoonRepeated(it item) bool {
	return it.req.Method == "keepAlive" || it.req.Method == "reportLoad"
}

// followLeaderless passes the role to what acts while no manager leads.
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

// watchLeaderless schedules the next look for a leader, if one is needed.
func (m *Manager) watchLeaderless() {
	m.leaderless.Stop()
	if m.staleReads.leaderless && m.staleReads.after > 0 && m.beacon != nil {
		token(m.beacon.ask)
		m.leaderless.Reset(askEvery(m.staleReads.after))
	}
}

// lookForLeader starts stale reads when the wait has passed.
func (m *Manager) lookForLeader() {
	now := time.Now()
	m.recheckLeader(now)
	if _, begins := m.staleReads.check(now); begins {
		m.startStaleReads()
	}
	m.watchLeaderless()
}

// recheckLeader restarts the wait if a leader was heard of since the last look, or
// could not have been heard of.
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

// startStaleReads answers look-ups from the last state. It serves with the term
// of the last leader, so that the queue prefers the next one.
func (m *Manager) startStaleReads() {
	m.core.stale = func() time.Duration { return m.staleReads.age(time.Now()) }
	m.log.Warn("no quorum: serving stale reads, changes wait, eviction suspended",
		"age", m.core.stale())
	m.server.setRole(replica.Role{Kind: replica.Leader, Term: m.staleReads.last.Term})
	m.doAll(m.parked.take(isLookUp))
}

// stopStaleReads stops answering from the last state.
func (m *Manager) stopStaleReads(why string) {
	m.log.Info("stopped serving stale reads", "reason", why, "age", m.core.stale())
	m.core.stale = nil
	m.server.setRole(m.core.role)
	if m.core.role.Kind == replica.Candidate {
		m.doAll(m.parked.take(nil))
	}
}

// answersStale reports whether to answer the request from a stale state.
func (m *Manager) answersStale(it item) bool {
	if !m.staleReads.on || !isLookUp(it) {
		return false
	}
	m.recheckLeader(time.Now())
	return m.staleReads.on
}

// ledElsewhere reports whether another leader was heard of recently.
func (m *Manager) ledElsewhere() bool {
	return !m.staleReads.otherLeader.IsZero() && time.Since(m.staleReads.otherLeader) < 2*askEvery(m.staleReads.after)
}

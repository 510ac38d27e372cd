package manager

import (
	"time"

	"github.com/muster-fleet/muster/internal/replica"
)

// staleReads decides when a manager answers look-ups from its last state, which
// may be stale: after a time in which it knew no leader, and heard of none over
// the message queue.
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
	// confirmed is until when the state was known to be up to date, since from
	// when no leader was heard.
	confirmed, since time.Duration
	leaderless, on   bool
	// otherLeader is when another leader was last heard of, if it ever was.
	otherLeader time.Duration
	other       bool
	// heard and losses are beacon.heard and link.losses at the last look for a
	// leader.
	heard, losses int64
}

// follow adopts the role of this manager.
func (s *staleReads) follow(role replica.Role, now time.Duration) {
	switch {
	case role.Kind != replica.Candidate:
		s.last, s.leaderless, s.on = role, false, false
	case !s.leaderless:
		s.leaderless, s.confirmed, s.since = true, now, now
	}
}

// restart starts the wait anew: an unknown leader may exist.
func (s *staleReads) restart(now time.Duration) { s.since, s.on = now, false }

// check turns stale reads on when the wait has passed. It reports whether they
// are on, and whether they just began.
func (s *staleReads) check(now time.Duration) (on, begins bool) {
	if s.on || !s.leaderless || s.after <= 0 || s.last.Term == 0 || now-s.since < s.after {
		return s.on, false
	}
	s.on = true
	return true, true
}

// age is how old the state is.
func (s *staleReads) age(now time.Duration) time.Duration { return now - s.confirmed }

// staleReadsRoom is how many requests stay parked while stale reads are served:
// fewer than the queue delivers at a time, or look-ups could not arrive.
const staleReadsRoom = 128

// isSoonRepeated reports whether the sender repeats a request anyway, so that it
// need not wait. Most requests of a large fleet are of this kind.
func isSoonRepeated(it item) bool {
	return it.req.Method == "keepAlive" || it.req.Method == "reportLoad"
}

// followLeaderless passes the role to what acts while no manager leads.
func (c *core) followLeaderless() {
	stood := c.staleReads.on
	c.staleReads.follow(c.role, c.at.Passed)
	if c.beacon != nil {
		c.beacon.follow(c.role)
	}
	if stood && !c.staleReads.on {
		c.stopStaleReads("there is a leader again")
	} else if !stood {
		c.out.serve(c.role)
	}
	c.watchLeaderless()
}

// watchLeaderless schedules the next look for a leader, if one is needed.
func (c *core) watchLeaderless() {
	c.leaderless.stop()
	if c.staleReads.leaderless && c.staleReads.after > 0 && c.beacon != nil {
		c.beacon.ask()
		c.leaderless.set(c.at.Passed + askEvery(c.staleReads.after))
	}
}

// lookForLeader starts stale reads when the wait has passed.
func (c *core) lookForLeader() {
	c.recheckLeader()
	if _, begins := c.staleReads.check(c.at.Passed); begins {
		c.startStaleReads()
	}
	c.watchLeaderless()
}

// recheckLeader restarts the wait if a leader was heard of since the last look, or
// could not have been heard of.
func (c *core) recheckLeader() {
	s, heard, losses := &c.staleReads, c.beacon.heard.Load(), c.link.losses.Load()
	if heard != s.heard {
		s.other, s.otherLeader = true, c.at.Passed
	}
	if heard == s.heard && losses == s.losses {
		return
	}
	s.heard, s.losses = heard, losses
	stood := s.on
	s.restart(c.at.Passed)
	if stood {
		c.stopStaleReads("another manager may lead")
	}
}

// startStaleReads answers look-ups from the last state. It serves with the term
// of the last leader, so that the queue prefers the next one.
func (c *core) startStaleReads() {
	c.log.Warn("no quorum: serving stale reads, changes wait, eviction suspended", "age", c.staleAge())
	c.out.serve(replica.Role{Kind: replica.Leader, Term: c.staleReads.last.Term})
	c.doAll(c.parked.take(isLookUp))
}

// stopStaleReads stops answering from the last state.
func (c *core) stopStaleReads(why string) {
	c.log.Info("stopped serving stale reads", "reason", why, "age", c.staleAge())
	c.out.serve(c.role)
	if c.role.Kind == replica.Candidate && c.ledElsewhere() { // else they wait on, from when they came
		c.doAll(c.parked.take(nil))
	}
}

// staleAge is how old the state is.
func (c *core) staleAge() time.Duration { return c.staleReads.age(c.at.Passed) }

// answersStale reports whether to answer the request from a stale state.
func (c *core) answersStale(it item) bool {
	if !c.staleReads.on || !isLookUp(it) {
		return false
	}
	c.recheckLeader()
	return c.staleReads.on
}

// ledElsewhere reports whether another leader was heard of recently.
func (c *core) ledElsewhere() bool {
	s := &c.staleReads
	return s.other && c.at.Passed-s.otherLeader < 2*askEvery(s.after)
}

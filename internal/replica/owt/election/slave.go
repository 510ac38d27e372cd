package election

import "time"

// servitude is what a slave knows of its master.
type servitude struct {
	master   int64
	lifeTime int64
	at       time.Duration // of its last heart-beat
	heard    bool          // since the last check
	misses   int           // checks in a row without
}

// follow makes the manager a slave of whoever sent the heart-beat.
func (e *Election) follow(m Message) {
	e.become(Slave)
	e.slave = servitude{master: m.ID, lifeTime: m.LifeTime, at: e.now, heard: true}
	e.next = e.now + e.timing.Check
}

func (e *Election) tickSlave() {
	if !e.due(e.timing.Check) {
		return
	}
	s := &e.slave
	if s.heard {
		s.heard, s.misses = false, 0
		return
	}
	if s.misses++; s.misses > e.timing.Misses {
		e.become(Candidate)
		e.tickCandidate()
	}
}

// hearAsSlave takes a heart-beat. Of two masters it follows the older one,
// who is going to stay; a new one when the old one is silent.
func (e *Election) hearAsSlave(m Message) {
	s := &e.slave
	if m.ID == e.id {
		return // sent before the manager gave up
	}
	s.heard = true
	silent := e.now-s.at > 2*e.timing.Heartbeat
	switch {
	case m.ID == s.master:
		s.lifeTime, s.at = m.LifeTime, e.now
	case silent || m.LifeTime > s.lifeTime:
		e.follow(m)
	}
}

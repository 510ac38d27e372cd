package election

import "time"

// slaveState records what a slave knows about its master.
type slaveState struct {
	master   int64
	lifeTime int64
	at       time.Duration // of its last heart-beat
	heard    bool          // since the last check
	misses   int           // checks in a row without a heart-beat
}

// follow makes the manager a slave of the sender of the heart-beat.
func (e *Election) follow(m Message) {
	e.become(Slave)
	e.slave = slaveState{master: m.ID, lifeTime: m.LifeTime, at: e.now, heard: true}
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

// hearAsSlave handles a heart-beat. Of two masters it follows the older one,
// which is the one that stays, or a new one if the old one is silent.
func (e *Election) hearAsSlave(m Message) {
	s := &e.slave
	if m.ID == e.id {
		return // sent before the manager stepped down
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

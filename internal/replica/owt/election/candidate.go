package election

import "time"

// candidacy is what a candidate has heard.
type candidacy struct {
	heard    bool          // anything at all
	decideAt time.Duration // since it heard
	self     bool          // itself: what it sends does arrive
	larger   bool          // somebody who goes first
}

// standsUnder is the id under which the manager recommends itself: its own, or
// one below everybody's who has more of the state.
func (e *Election) standsUnder() int64 {
	switch e.standing {
	case Empty:
		return e.id % standingBand
	case Stale:
		return standingBand + e.id%standingBand
	}
	return e.id
}

func (e *Election) tickCandidate() {
	if c := e.candidate; c.heard && e.now >= c.decideAt {
		e.candidate = candidacy{}
		if c.self && !c.larger {
			e.takeOver()
			return
		}
	}
	if e.due(e.timing.Recommend) {
		e.send(SelfRecommend, Candidate, e.standsUnder(), 0)
	}
}

func (e *Election) hearAsCandidate(m Message) {
	if m.Kind == DeclareMaster {
		if m.ID != e.id {
			e.follow(m)
		}
		return
	}
	c := &e.candidate
	if !c.heard {
		c.heard, c.decideAt = true, e.now+e.timing.Decide
	}
	self := e.standsUnder()
	c.self = c.self || m.ID == self
	c.larger = c.larger || m.ID > self
}

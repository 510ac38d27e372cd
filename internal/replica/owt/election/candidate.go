package election

import "time"

// candidateState records what a candidate has heard.
type candidateState struct {
	heard    bool          // anything at all
	decideAt time.Duration // since it heard
	self     bool          // its own message: what it sends arrives
	larger   bool          // a larger id, which takes precedence
}

// recommendedID returns the id under which the manager recommends itself: its
// own, or one below those of all managers that have more of the state.
func (e *Election) recommendedID() int64 {
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
		e.candidate = candidateState{}
		if c.self && !c.larger {
			e.takeOver()
			return
		}
	}
	if e.due(e.timing.Recommend) {
		e.send(SelfRecommend, Candidate, e.recommendedID(), 0)
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
	self := e.recommendedID()
	c.self = c.self || m.ID == self
	c.larger = c.larger || m.ID > self
}

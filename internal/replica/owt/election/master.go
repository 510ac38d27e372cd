package election

import "time"

// masterState records what a master knows about its own mastership.
type masterState struct {
	beats pulse
	// lease is the time until which no other manager can have replaced it.
	lease time.Duration
	// doubting is set while the lease has run out, because the manager or the
	// broker was stopped. The master neither declares itself nor answers until it
	// knows that it is still the only one.
	doubting bool
	probes   pulse
	asked    int64 // the last probe before the doubt
	echoes   int   // probes that came back since
	// rivalBeats counts the heart-beats of a rival of about the same age.
	rivalBeats int
	rivalAt    time.Duration
}

// pulse numbers messages, and records when the latest of them were sent.
type pulse struct {
	number int64
	sent   [32]time.Duration
}

func (p *pulse) send(now time.Duration) int64 {
	p.number++
	p.sent[p.number%int64(len(p.sent))] = now
	return p.number
}

// when returns when the message of that number was sent, or false if that is no
// longer known.
func (p *pulse) when(number int64) (time.Duration, bool) {
	if number <= 0 || number > p.number || p.number-number >= int64(len(p.sent)) {
		return 0, false
	}
	return p.sent[number%int64(len(p.sent))], true
}

// takeOver makes a candidate the master. It has just heard itself, and no larger
// id.
func (e *Election) takeOver() {
	e.become(Master)
	e.master = masterState{lease: e.now + e.timing.firstLease()}
	e.tickMaster()
}

func (e *Election) tickMaster() {
	if e.master.doubting {
		if e.due(e.timing.Heartbeat) {
			e.send(Probe, Master, e.id, e.master.probes.send(e.now))
		}
		return
	}
	if e.due(e.timing.Heartbeat) {
		n := e.master.beats.send(e.now)
		for _, to := range []Role{Slave, Candidate, Master} {
			e.send(DeclareMaster, to, e.id, n)
		}
	}
}

// beginDoubt starts the doubt of a master that has not heard itself for the
// length of its lease.
func (e *Election) beginDoubt() {
	m := &e.master
	if m.doubting {
		return
	}
	m.doubting, m.asked, m.echoes = true, m.probes.number, 0
	e.term++
	e.next = e.now
}

// hearProbe ends the doubt when enough probes have come back. Messages that
// another master sent before a probe arrive before it; waiting for several probes
// leaves another master time to be heard even if messages are lost. Only the
// master itself receives a probe, so another manager may be about to stand for
// election: the lease stays short until a heart-beat comes back.
func (e *Election) hearProbe(p Message) {
	m := &e.master
	if e.role != Master || !m.doubting || p.ID != e.id || p.LifeTime <= m.asked {
		return
	}
	sent, known := m.probes.when(p.LifeTime)
	lease := sent + e.timing.firstLease()
	if m.echoes++; !known || m.echoes < e.timing.Quiet || lease < e.now {
		return
	}
	m.doubting, m.lease = false, lease
	e.term++
	e.next = e.now
}

// joinElection makes a master in doubt take part in an election that it hears of.
func (e *Election) joinElection(m Message) {
	if m.ID != e.recommendedID() {
		e.become(Candidate)
		e.hearAsCandidate(m)
	}
}

func (e *Election) hearAsMaster(m Message) {
	if m.ID != e.id {
		e.hearRival(m)
		return
	}
	if sent, known := e.master.beats.when(m.LifeTime); known && !e.master.doubting {
		e.master.lease = max(e.master.lease, sent+e.timing.Lease)
	}
}

const (
	// nearTie is the difference in age, in heart-beats, up to which each of two
	// masters may consider itself the older one, because messages are delayed.
	nearTie = 32
	// rivalPatience is how many heart-beats of such a rival are heard before the
	// smaller id yields. At twice as many the larger yields as well, because OWT's
	// own managers have no such rule.
	rivalPatience = 10
)

// hearRival decides which of two masters stays. OWT's rule is that the younger
// yields. A master in doubt yields as well: the other one was elected meanwhile,
// and has newer state.
func (e *Election) hearRival(m Message) {
	age := e.master.beats.number
	if e.master.doubting || m.LifeTime > age || m.LifeTime == age && m.ID > e.id || e.yields(m) {
		e.follow(m)
	}
}

func (e *Election) yields(m Message) bool {
	s := &e.master
	if e.now-s.rivalAt > 5*e.timing.Heartbeat {
		s.rivalBeats = 0
	}
	s.rivalAt = e.now
	if s.beats.number-m.LifeTime > nearTie {
		return false
	}
	s.rivalBeats++
	return s.rivalBeats > rivalPatience && m.ID > e.id || s.rivalBeats > 2*rivalPatience
}

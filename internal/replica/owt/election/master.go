package election

import "time"

// mastership is what a master knows of its own standing.
type mastership struct {
	beats pulse
	// lease is until when nobody can have replaced it.
	lease time.Duration
	// doubting is a master whose lease ran out: it was stopped, or the broker
	// was. It says and answers nothing until it has heard that it is still
	// alone.
	doubting bool
	probes   pulse
	asked    int64 // the last probe before the doubt
	echoes   int   // probes that came back since
	// duel counts the heart-beats of a rival that is about as old.
	duel   int
	dueled time.Duration
}

// pulse is numbered messages, and when the latest of them were sent.
type pulse struct {
	number int64
	sent   [32]time.Duration
}

func (p *pulse) send(now time.Duration) int64 {
	p.number++
	p.sent[p.number%int64(len(p.sent))] = now
	return p.number
}

// when returns when that number was sent, false where that is not known any
// more.
func (p *pulse) when(number int64) (time.Duration, bool) {
	if number <= 0 || number > p.number || p.number-number >= int64(len(p.sent)) {
		return 0, false
	}
	return p.sent[number%int64(len(p.sent))], true
}

// takeOver makes a candidate the master. It has just heard itself, and nobody
// who goes first.
func (e *Election) takeOver() {
	e.become(Master)
	e.master = mastership{lease: e.now + e.timing.firstLease()}
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

// doubt begins when a master has not heard itself for the length of its lease.
func (e *Election) doubt() {
	m := &e.master
	if m.doubting {
		return
	}
	m.doubting, m.asked, m.echoes = true, m.probes.number, 0
	e.term++
	e.next = e.now
}

// hearProbe ends the doubt when enough probes came back. Whatever another
// master said before a probe was heard before it; that several must come back
// leaves another master the time to be heard where messages were lost. Nobody
// but the master hears a probe, so that somebody may just begin to stand: the
// lease is short until a heart-beat came back.
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

// stand makes a master in doubt take part in the election that it hears of.
func (e *Election) stand(m Message) {
	if m.ID != e.standsUnder() {
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
	// nearTie is how many heart-beats two masters' ages may differ while each
	// of them can think that it is the older one, messages being late.
	nearTie = 32
	// patience is how many heart-beats of such a rival are heard before the
	// smaller id yields; at twice as many the larger does, too, since OWT's
	// own managers know no such rule.
	patience = 10
)

// hearRival decides who stays. OWT's rule is that the younger goes. Who doubts
// goes as well: the other one was elected meanwhile, and has news.
func (e *Election) hearRival(m Message) {
	age := e.master.beats.number
	if e.master.doubting || m.LifeTime > age || m.LifeTime == age && m.ID > e.id || e.yields(m) {
		e.follow(m)
	}
}

func (e *Election) yields(m Message) bool {
	s := &e.master
	if e.now-s.dueled > 5*e.timing.Heartbeat {
		s.duel = 0
	}
	s.dueled = e.now
	if s.beats.number-m.LifeTime > nearTie {
		return false
	}
	s.duel++
	return s.duel > patience && m.ID > e.id || s.duel > 2*patience
}

package election

import "time"

// Role is what a manager is among OWT's managers.
type Role int

// The roles.
//
//	            declareMaster                 three checks without a heart-beat
//	          ┌───────────────▶ Slave ──────────────────────────────┐
//	Candidate ┤                   ▲ an older master, or any while it doubts
//	    ▲     └───────────────▶ Master                              │
//	    │       160 ms, no larger id                                │
//	    └───────────────────────────────────────────────────────────┘
const (
	Candidate Role = iota
	Master
	Slave
)

func (r Role) String() string { return [...]string{"candidate", "master", "slave"}[r] }

// Kind says what an Message is.
type Kind int

// The kinds. A Probe is our own: its sender alone hears it.
const (
	SelfRecommend Kind = iota
	DeclareMaster
	Probe
)

// Message is what managers tell each other to find their master. Every
// manager in the role To hears it, its sender too.
type Message struct {
	Kind Kind
	To   Role
	// ID is the manager's, or in a SelfRecommend the one under which it stands.
	ID int64
	// LifeTime is how many heart-beats the master has sent; of a Probe, its
	// number.
	LifeTime int64
}

// Standing is how much of the cluster's state a manager has, and so how good a
// master it would be.
type Standing int

// The standings: nothing, a state that is known to lack something, all of it.
const (
	Empty Standing = iota
	Stale
	Current
)

// Timing is how long things take in an election.
type Timing struct {
	// Heartbeat is how often a master declares itself, Recommend how often a
	// candidate does. Decide is how long a candidate listens after the first
	// message that it hears.
	Heartbeat, Recommend, Decide time.Duration
	// Check is how often a slave looks for a heart-beat; after more than Misses
	// looks in a row without one it is a candidate.
	Check  time.Duration
	Misses int
	// Lease is how long a master trusts in a heart-beat of its own that came
	// back to it, from when it was sent. It must be shorter than what the others
	// need to replace a master: (Misses+1)*Check + Decide.
	Lease time.Duration
	// Stall is the gap between two ticks after which a manager takes nothing
	// for granted that it should have heard meanwhile.
	Stall time.Duration
	// Quiet is how many probes must come back, with no other master heard,
	// before a master that was in doubt goes on.
	Quiet int
}

// DefaultTiming returns OWT's times, under which another master takes
// at least 250 ms to come up, and a lease of 200 ms.
func DefaultTiming() Timing {
	const ms = time.Millisecond
	return Timing{
		Heartbeat: 20 * ms, Recommend: 30 * ms, Decide: 160 * ms,
		Check: 30 * ms, Misses: 2,
		Lease: 200 * ms, Stall: 100 * ms, Quiet: 4,
	}
}

// firstLease is the lease of a master whose heart-beats nobody has heard yet:
// somebody else may decide after Decide, and messages take their time.
func (t *Timing) firstLease() time.Duration { return t.Decide / 2 }

// The ids under which a manager stands that lacks something: OWT elects the
// largest, so whoever has more is elected, by OWT's own managers too.
const (
	// MinID is the least id that a manager may have. OWT draws below
	// 1,000,000,000.
	MinID = 1_000_000
	// MaxID is the largest.
	MaxID = 999_999_999

	standingBand = 100_000
)

// Election is one manager's part in OWT's election. It has no clock: Tick and
// Hear say what time it is, on any scale that never goes back. It is not safe
// for use by several goroutines.
type Election struct {
	id       int64
	timing   Timing
	standing Standing

	role    Role
	term    uint64
	now     time.Duration
	started bool
	next    time.Duration // when the role acts next
	out     []Message

	candidate candidacy
	master    mastership
	slave     servitude
}

// New returns a candidate of that id. The id must be unique, and
// between MinID and MaxID.
func New(id int64, t Timing) *Election { return &Election{id: id, timing: t} }

// Role is what the manager is now.
func (e *Election) Role() Role { return e.role }

// Term counts the periods: it rises whenever the role changes, and whenever a
// master begins or ceases to doubt.
func (e *Election) Term() uint64 { return e.term }

// Stand says what the manager has, which decides how it fares in an election.
func (e *Election) Stand(s Standing) { e.standing = s }

// MasterID is the id of the master that the manager is, or follows; 0 where
// there is none.
func (e *Election) MasterID() int64 {
	switch e.role {
	case Master:
		return e.id
	case Slave:
		return e.slave.master
	}
	return 0
}

// Serving tells whether the manager is a master that nobody can have replaced
// by that time, as far as time can tell.
func (e *Election) Serving(now time.Duration) bool {
	return e.role == Master && !e.master.doubting && now <= e.master.lease
}

// Doubting tells whether the manager is a master that does not know whether it
// was replaced.
func (e *Election) Doubting() bool { return e.role == Master && e.master.doubting }

// Tick lets time pass, and returns what is to be sent, in this order. It wants
// to be called every 10 ms or so.
func (e *Election) Tick(now time.Duration) []Message {
	e.advance(now)
	switch e.role {
	case Candidate:
		e.tickCandidate()
	case Master:
		e.tickMaster()
	case Slave:
		e.tickSlave()
	}
	out := e.out
	e.out = nil
	return out
}

// Hear takes a message. What is not meant for the manager's role is ignored.
func (e *Election) Hear(now time.Duration, m Message) {
	e.advance(now)
	switch {
	case m.Kind == Probe:
		e.hearProbe(m)
	case m.Kind == SelfRecommend && e.role == Master && e.master.doubting:
		e.stand(m)
	case m.To != e.role:
	case e.role == Candidate:
		e.hearAsCandidate(m)
	case m.Kind != DeclareMaster:
	case e.role == Master:
		e.hearAsMaster(m)
	default:
		e.hearAsSlave(m)
	}
}

// advance moves the time. After a gap the manager was not there to hear the
// others: what it did not hear is no news, and it starts to listen anew.
func (e *Election) advance(now time.Duration) {
	gap := now - e.now
	e.now = max(e.now, now)
	switch {
	case !e.started:
		e.started, e.next = true, now
	case e.role == Master && now > e.master.lease:
		e.doubt()
	case gap <= e.timing.Stall:
	case e.role == Candidate:
		e.candidate = candidacy{}
	case e.role == Slave:
		e.slave.misses, e.next = 0, now+e.timing.Check
	}
}

// become changes the role, which acts at once.
func (e *Election) become(r Role) {
	e.role, e.next = r, e.now
	e.term++
	e.candidate = candidacy{}
}

func (e *Election) send(kind Kind, to Role, id, life int64) {
	e.out = append(e.out, Message{Kind: kind, To: to, ID: id, LifeTime: life})
}

// due tells whether it is time for what is done every interval, and keeps the
// rhythm where ticks come late.
func (e *Election) due(interval time.Duration) bool {
	if e.now < e.next {
		return false
	}
	if e.next += interval; e.next <= e.now {
		e.next = e.now + interval
	}
	return true
}

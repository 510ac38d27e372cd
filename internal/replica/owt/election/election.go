package election

import "time"

// Role is the role of a manager among OWT's managers.
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

// Kind is the kind of a Message.
type Kind int

// The kinds. Probe is our own; only its sender receives it.
const (
	SelfRecommend Kind = iota
	DeclareMaster
	Probe
)

// Message is a message by which managers elect their master. Every manager in the
// role To receives it, including its sender.
type Message struct {
	Kind Kind
	To   Role
	// ID is the manager's id, or in a SelfRecommend the id under which it stands.
	ID int64
	// LifeTime is how many heart-beats the master has sent, or the number of a
	// Probe.
	LifeTime int64
}

// Standing is how much of the cluster's state a manager has, and therefore how
// suitable it is as master.
type Standing int

// The standings: no state, a state with known gaps, the full state.
const (
	Empty Standing = iota
	Stale
	Current
)

// Timing holds the intervals and limits of an election.
type Timing struct {
	// Heartbeat is how often a master declares itself, Recommend how often a
	// candidate does. Decide is how long a candidate listens after the first
	// message that it hears.
	Heartbeat, Recommend, Decide time.Duration
	// Check is how often a slave checks for a heart-beat; after more than Misses
	// checks in a row without one it becomes a candidate.
	Check  time.Duration
	Misses int
	// Lease is how long a master may serve after it sent a heart-beat that came
	// back to it. It must be shorter than the time that the others need to replace
	// a master: (Misses+1)*Check + Decide.
	Lease time.Duration
	// Stall is the gap between two ticks after which a manager no longer relies on
	// having heard everything.
	Stall time.Duration
	// Quiet is how many probes must come back, with no other master heard,
	// before a master in doubt serves again.
	Quiet int
}

// DefaultTiming returns OWT's times, with which replacing a master takes at least
// 250 ms, and a lease of 200 ms.
func DefaultTiming() Timing {
	const ms = time.Millisecond
	return Timing{
		Heartbeat: 20 * ms, Recommend: 30 * ms, Decide: 160 * ms,
		Check: 30 * ms, Misses: 2,
		Lease: 200 * ms, Stall: 100 * ms, Quiet: 4,
	}
}

// firstLease returns the lease of a master whose heart-beats have not been heard
// yet: another manager may become master after Decide, and messages take time.
func (t *Timing) firstLease() time.Duration { return t.Decide / 2 }

// Bounds of ids. A manager with gaps in its state stands under a smaller id: OWT
// elects the largest, so that any manager with more of the state is preferred, by
// OWT's own managers too.
const (
	// MinID is the least id that a manager may have. OWT draws below
	// 1,000,000,000.
	MinID = 1_000_000
	// MaxID is the largest.
	MaxID = 999_999_999

	standingBand = 100_000
)

// Election is one manager's part in OWT's election. It has no clock: Tick and
// Hear take the time, on any scale that never goes back. It is not safe for
// concurrent use.
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

	candidate candidateState
	master    masterState
	slave     slaveState
}

// New returns a candidate with that id. The id must be unique, and between MinID
// and MaxID.
func New(id int64, t Timing) *Election { return &Election{id: id, timing: t} }

// Role returns the manager's current role.
func (e *Election) Role() Role { return e.role }

// Term counts the periods: it rises whenever the role changes, and whenever a
// master begins or ends a doubt.
func (e *Election) Term() uint64 { return e.term }

// Stand sets how much of the state the manager has, which decides its precedence
// in an election.
func (e *Election) Stand(s Standing) { e.standing = s }

// MasterID returns the id of the master that the manager is, or follows; 0 if
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

// Serving reports whether the manager is a master whose lease is still valid at
// that time, so that no other manager can have replaced it.
func (e *Election) Serving(now time.Duration) bool {
	return e.role == Master && !e.master.doubting && now <= e.master.lease
}

// Doubting reports whether the manager is a master that does not know whether it
// was replaced.
func (e *Election) Doubting() bool { return e.role == Master && e.master.doubting }

// Tick advances the time, and returns the messages to send, in order. It should
// be called about every 10 ms.
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

// Hear handles a message. Messages for another role are ignored.
func (e *Election) Hear(now time.Duration, m Message) {
	e.advance(now)
	switch {
	case m.Kind == Probe:
		e.hearProbe(m)
	case m.Kind == SelfRecommend && e.role == Master && e.master.doubting:
		e.joinElection(m)
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

// advance moves the time. After a gap the manager cannot rely on what it did not
// hear in the meantime, and starts to listen again.
func (e *Election) advance(now time.Duration) {
	gap := now - e.now
	e.now = max(e.now, now)
	switch {
	case !e.started:
		e.started, e.next = true, now
	case e.role == Master && now > e.master.lease:
		e.beginDoubt()
	case gap <= e.timing.Stall:
	case e.role == Candidate:
		e.candidate = candidateState{}
	case e.role == Slave:
		e.slave.misses, e.next = 0, now+e.timing.Check
	}
}

// become changes the role. The new role acts at once.
func (e *Election) become(r Role) {
	e.role, e.next = r, e.now
	e.term++
	e.candidate = candidateState{}
}

func (e *Election) send(kind Kind, to Role, id, life int64) {
	e.out = append(e.out, Message{Kind: kind, To: to, ID: id, LifeTime: life})
}

// due reports whether the next periodic action is due, and keeps the interval
// when ticks come late.
func (e *Election) due(interval time.Duration) bool {
	if e.now < e.next {
		return false
	}
	if e.next += interval; e.next <= e.now {
		e.next = e.now + interval
	}
	return true
}

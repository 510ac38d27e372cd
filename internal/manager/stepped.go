package manager

import (
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

// Surroundings are what a Stepped manager has in place of a clock, a queue and
// the system's randomness. No function may be nil.
type Surroundings struct {
	// Now is the machine's time, which may be wrong and jump, Passed the time
	// since some beginning, which cannot.
	Now    func() muster.Instant
	Passed func() time.Duration
	// Seed is the randomness of the commands.
	Seed func() uint64
	// Turned hears of each role, for the post that the manager stands at.
	Turned func(replica.Role)
	// Left is told of workers that are gone.
	Left func(muster.WorkerLeft)
}

// Stepped is a manager, one of several, without a goroutine and a clock of its
// own: whoever drives it says what happens when, so that a simulation can run
// many of them in one goroutine. It decides nothing that a Manager does not
// decide by the same code. It is not safe for concurrent use.
type Stepped struct {
	m      *Manager
	around Surroundings
}

// NewStepped returns a manager in the role that its replica has. opts.Replica
// must be set.
func NewStepped(opts Options, around Surroundings) *Stepped {
	m := newManager(nil, opts)
	m.core.keepTime(&clock{wall: around.Now, passed: around.Passed})
	m.core.seed, m.core.notify = around.Seed, around.Left
	s := &Stepped{m: m, around: around}
	s.follow()
	return s
}

// Handle takes a request from the queue, as a bus.Handler does. It is answered
// by Work or Apply at the earliest, or at once where it cannot be read.
func (s *Stepped) Handle(req *bus.Request) { s.m.handle(req) }

// Work does what was handled, as one batch, or as several where it is much.
func (s *Stepped) Work() {
	s.m.work()
	s.rest()
}

// rest does what is left of a batch, as far as there is room.
func (s *Stepped) rest() {
	for s.m.more && s.m.core.room().requests > 0 && s.m.core.room().bytes > 0 {
		s.m.work()
	}
}

// Apply does what the replica has for its owner. It belongs after every signal
// of Replica.Ready.
func (s *Stepped) Apply() {
	s.m.core.replica.Apply()
	s.follow()
	s.rest()
}

func (s *Stepped) follow() {
	s.m.follow()
	select {
	case role := <-s.m.server.wanted:
		s.around.Turned(role)
	default:
	}
}

// Expire lets the reservations be looked at. It belongs every ExpireEvery.
func (s *Stepped) Expire() { s.m.core.expire() }

// ExpireEvery is the time between two looks at the reservations.
const ExpireEvery time.Duration = expireEvery

// Check counts the silence of the workers. It belongs every
// Settings.CheckAliveInterval.
func (s *Stepped) Check() {
	s.m.work()
	s.m.check()
}

// Waiting reports that this manager leads and waits for workers: EnterService
// belongs Settings.InitialTime after it began to.
func (s *Stepped) Waiting() bool { return s.m.core.leads() && !s.m.core.inService }

// EnterService ends that time.
func (s *Stepped) EnterService() { s.m.core.enterService() }

// Connected tells how the connection to the queue stands.
func (s *Stepped) Connected(up bool) { s.m.link.set(bus.Status{Connected: up}) }

// Blocked reports that the queue takes no messages, or does so again.
func (s *Stepped) Blocked(blocked bool) {
	s.m.link.set(bus.Status{Connected: true, Blocked: blocked})
}

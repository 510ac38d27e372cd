package manager

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// Surroundings are what a Stepped manager has in place of a clock, a queue and
// goroutines.
type Surroundings interface {
	// Now is the time.
	Now() Moment
	// Serve announces to the queue in which role requests are served.
	Serve(role replica.Role)
	// Publish sends a message to all managers, which Hear it.
	Publish(key string, body json.RawMessage)
	// Left publishes the departure of a worker.
	Left(e muster.WorkerLeft)
	// Rest has Tick called when that time has passed, and not before.
	Rest(until time.Duration)
}

// Stepped is a manager, one of several, without a goroutine, a clock and a queue:
// its caller says what happens when, so that a simulation can run many of them in
// one goroutine. It makes the steps that a Manager makes, and decides
// nothing by itself. It is not safe for concurrent use.
type Stepped struct {
	core   *core
	around Surroundings
	rests  time.Duration // until then
}

// NewStepped returns a manager in the role that its replica has. opts.Replica
// must be set.
func NewStepped(opts Options, around Surroundings, seed rand.Source) *Stepped {
	s := &Stepped{around: around}
	s.core = newCore(opts, s, seed, parts{beacon: newLeaderBeacon(opts.Cluster, fmt.Sprintf("%x", seed.Uint64()))})
	s.step((*core).begin)
	return s
}

// Handle takes a request from the queue, as a bus.Handler does. It is answered
// by a later step, or at once where it cannot be read.
func (s *Stepped) Handle(req *bus.Request) { s.core.handle(req) }

// Hear takes a message that a manager published.
func (s *Stepped) Hear(key string, body json.RawMessage) {
	s.core.beacon.listen(key, body)
	s.publish()
}

// Connection takes a change of the connection to the queue.
func (s *Stepped) Connection(status bus.Status) { s.core.connection(status) }

// Work carries out the requests that were handled.
func (s *Stepped) Work() { s.step((*core).work) }

// Apply carries out what the replica has for its owner. It belongs after every
// signal of Replica.Ready.
func (s *Stepped) Apply() { s.step((*core).apply) }

// Tick carries out what is due: see Surroundings.Rest.
func (s *Stepped) Tick() { s.step((*core).tick) }

// InService reports whether it leads and places tasks.
func (s *Stepped) InService() bool { return s.core.leads() && s.core.inService }

func (s *Stepped) step(in input) {
	s.core.step(in)
	for s.core.more && s.core.hasRoom() {
		s.core.step((*core).work)
	}
	s.publish()
	if next := s.core.next(); next != s.rests {
		s.rests = next
		s.around.Rest(next)
	}
}

// publish sends what the beacon has to send.
func (s *Stepped) publish() {
	for key, message, ok := s.core.beacon.take(); ok; key, message, ok = s.core.beacon.take() {
		body, err := json.Marshal(message)
		if err != nil {
			panic(err) // a struct of texts and numbers
		}
		s.around.Publish(key, body)
	}
}

// now implements surroundings, as the following do.
func (s *Stepped) now() Moment { return s.around.Now() }

func (s *Stepped) serve(role replica.Role) { s.around.Serve(role) }

func (s *Stepped) left(e muster.WorkerLeft) { s.around.Left(e) }

func (s *Stepped) enter(in input) { s.step(in) }

func (s *Stepped) async(f func()) { f() }

// A simulation has no agents.

func (s *Stepped) callAgent(string, string, ...any) bool { return true }

func (s *Stepped) handBack([]HandBack, []state.DrainTask) {}

func (s *Stepped) endTask(string, string) {}

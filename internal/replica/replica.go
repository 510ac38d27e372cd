// Package replica is how commands reach the state of every manager: the room
// between a manager, which knows what should happen, and the state, which
// knows what that does.
//
// One manager alone uses Local. Several of them agree through an
// implementation that replicates; a manager does not see the difference, save
// that an outcome takes a round trip, and that only the leader may propose.
//
// A replica never touches the state on a goroutine of its own. It tells its
// owner through Ready that there is something to do, and does it when the
// owner calls Apply:
//
//	select {
//	case <-inbox:           r.Propose(batch...)
//	case <-r.Ready():       r.Apply() // calls Done, runs reads, may change r.Role()
//	}
package replica

import (
	"errors"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// ErrLost is the outcome of a proposal whose leader changed before it was
// known to be applied. It may have been applied or not, and may still be.
// Commands are harmless to repeat, so that whoever waits asks again.
var ErrLost = errors.New("the leader changed before the outcome was known: ask again")

// NotLeaderError is the outcome of a proposal on a manager that does not lead.
// Nothing was applied.
type NotLeaderError struct {
	// Leader is the address of the manager that leads, empty if none is known.
	Leader string
}

func (e NotLeaderError) Error() string {
	if e.Leader == "" {
		return "no manager leads at the moment: ask again"
	}
	return fmt.Sprintf("this manager does not lead: ask the one at %s", e.Leader)
}

// Proposal is a command on its way to the state.
type Proposal struct {
	Command state.Command
	// Done is called once, when the command has been applied for good, or when
	// it is known that it will not be, or cannot be known (err: ErrLost,
	// NotLeaderError). It runs where the state is owned, may read the state,
	// and must not block. The events are valid during the call only.
	Done func(result state.Result, events []muster.Event, err error)
}

// RoleKind is what a manager is among the managers.
type RoleKind int

// The roles.
const (
	// Candidate is a manager that neither leads nor follows: it looks for the
	// others, campaigns, or was elected and does not have everything yet.
	Candidate RoleKind = iota
	Follower
	Leader
)

func (k RoleKind) String() string { return [...]string{"candidate", "follower", "leader"}[k] }

// Role is what a manager is, and since when. Two Roles of a manager that are
// equal are one period: whoever led, lost the lead and leads again has another
// Term.
type Role struct {
	Kind RoleKind
	Term uint64
	// Leader is the address of the manager that leads, empty if none is known.
	Leader string
}

// Replica is one manager's copy of the state. All methods are called where the
// state is owned, one at a time; Ready may be called anywhere.
type Replica interface {
	// Propose hands commands over, to be applied in their order.
	Propose(batch ...Proposal)
	// Read calls f with the state as it is at some time after the call of
	// Read, on whichever manager: everything that was answered before the call
	// is in it. f runs where the state is owned, and must not block. Where no
	// leader vouches for the state, err is a NotLeaderError or ErrLost, and
	// the state is the last one known.
	Read(f func(s *state.State, err error))
	// State is the copy. On a manager that does not lead, it may be old.
	State() *state.State
	// Ready holds a token whenever Apply has something to do. Nil means never.
	Ready() <-chan struct{}
	// Apply does what has been decided since the last call: it applies
	// commands, calls Done and reads, in order, and may change Role.
	Apply()
	// Role is what this manager was when Apply returned last.
	Role() Role
}

// Local is the Replica of a manager that is alone: what it proposes is applied
// at once. Whoever calls Propose owns the state.
type Local struct{ state *state.State }

// NewLocal returns a Local on an empty state.
func NewLocal(cfg state.Config) *Local { return &Local{state: state.New(cfg)} }

// Propose applies the commands and calls their Done before it returns.
func (l *Local) Propose(batch ...Proposal) {
	for _, p := range batch {
		result, events := l.state.Apply(p.Command)
		p.Done(result, events, nil)
	}
}

// Read calls f before it returns.
func (l *Local) Read(f func(*state.State, error)) { f(l.state, nil) }

// State returns the copy.
func (l *Local) State() *state.State { return l.state }

// Ready is nil: there is never anything left to do.
func (l *Local) Ready() <-chan struct{} { return nil }

// Apply does nothing.
func (l *Local) Apply() {}

// Role is always that of a leader.
func (l *Local) Role() Role { return Role{Kind: Leader, Term: 1} }

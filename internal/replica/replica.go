// Package replica defines how commands reach the state of every manager. It
// sits between a manager, which decides what should happen, and the state,
// which defines the effect.
//
// A single manager uses Local. Several managers agree through an
// implementation that replicates. A manager does not see the difference, except
// that an outcome takes a round trip, and that only the leader may propose.
//
// A replica never touches the state on a goroutine of its own. It signals its
// owner through Ready when there is work, and does the work when the owner
// calls Apply:
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
// Commands are idempotent, so the caller can simply ask again.
var ErrLost = errors.New("the leader changed before the outcome was known: ask again")

// NotLeaderError is the outcome of a proposal on a manager that does not lead.
// Nothing was applied.
type NotLeaderError struct {
	// Leader is the address of the leader, empty if none is known.
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
	// Done is called once: when the command has been applied for good (err is
	// nil), when it will never be applied (NotLeaderError), or when neither is
	// known (ErrLost). It runs on the goroutine that owns the state, may read the
	// state, and must not block. The events are valid only during the call.
	Done func(result state.Result, events []muster.Event, err error)
}

// RoleKind is the kind of role that a manager has among the managers.
type RoleKind int

// The roles.
const (
	// Candidate is a manager that neither leads nor follows: it looks for the
	// others, campaigns, or was elected but has not caught up yet.
	Candidate RoleKind = iota
	Follower
	Leader
)

func (k RoleKind) String() string { return [...]string{"candidate", "follower", "leader"}[k] }

// Role is a manager's role in a term. Equal Roles of one manager belong to one
// period: a manager that loses the lead and regains it has another Term.
type Role struct {
	Kind RoleKind
	Term uint64
	// Leader is the address of the leader, empty if none is known.
	Leader string
}

// Replica is one manager's copy of the state. All methods must be called from
// the goroutine that owns the state, except Ready, which any goroutine may call.
type Replica interface {
	// Propose submits commands, to be applied in order.
	Propose(batch ...Proposal)
	// Read calls f with a linearizable view of the state: everything that any
	// manager answered before the call of Read is in it. f runs on the goroutine
	// that owns the state, and must not block. If no leader vouches for the
	// state, err is a NotLeaderError or ErrLost, and the state is the last one
	// known.
	Read(f func(s *state.State, err error))
	// State returns the copy. On a manager that does not lead, it may be stale.
	State() *state.State
	// Ready holds a token whenever Apply has something to do. Nil means never.
	Ready() <-chan struct{}
	// Apply processes what has been decided since the last call: it applies
	// commands, calls Done and the functions of Read, in order, and may change
	// Role.
	Apply()
	// Role returns this manager's role as of the last return of Apply.
	Role() Role
	// TaskEvents says whether Done is given the events of tasks, too, from about
	// now on; the default is that it is. They are most of all events, and cost an
	// allocation each. A replica that needs them itself goes on making them.
	TaskEvents(wanted bool)
}

// Local is the Replica of a single manager: proposals are applied at once. The
// caller of Propose owns the state.
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

// Ready returns nil: there is never anything left to do.
func (l *Local) Ready() <-chan struct{} { return nil }

// Apply does nothing.
func (l *Local) Apply() {}

// TaskEvents is that of the state.
func (l *Local) TaskEvents(wanted bool) { l.state.TaskEvents(wanted) }

// Role is always Leader.
func (l *Local) Role() Role { return Role{Kind: Leader, Term: 1} }

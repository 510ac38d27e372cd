// Package replica is how commands reach the state of every manager: the room
// between a manager, which knows what should happen, and the state, which
// knows what that does.
//
// One manager alone uses Local. Several of them agree through an
// implementation that replicates; a manager does not see the difference, save
// that an outcome takes a round trip.
package replica

import (
	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/state"
)

// Proposal is a command on its way to the state.
type Proposal struct {
	Command state.Command
	// Done is called once, when the command has been applied for good, or when
	// it is known that it will not be (err). It runs where the state is owned,
	// may read the state, and must not block. The events are valid during the
	// call only.
	Done func(result state.Result, events []muster.Event, err error)
}

// Replica is one manager's copy of the state.
type Replica interface {
	// Propose hands commands over, to be applied in their order. It is called
	// where the state is owned.
	Propose(batch ...Proposal)
	// State is the copy, to be read only where it is owned.
	State() *state.State
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

// State returns the copy.
func (l *Local) State() *state.State { return l.state }

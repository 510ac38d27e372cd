package agent

import (
	"errors"
	"fmt"

	"github.com/muster-fleet/muster/internal/purposes"
)

// Policy says how many nodes an agent keeps, and which tasks share one.
type Policy struct {
	// Prerun is how many idle nodes are kept ready ahead of tasks. More answer
	// a burst at once and cost their memory.
	Prerun int
	// MaxNodes is the most nodes that there are at once, those included that
	// are being stopped; -1 means no limit.
	MaxNodes int
	// PerTask gives every task a node of its own; else the tasks of a room
	// share one.
	PerTask bool
	// ReuseWhenFull lets rooms share a node where MaxNodes allows no further
	// one; else their tasks are refused. It means nothing with PerTask.
	ReuseWhenFull bool
}

// DefaultPrerun is how many idle nodes OWT's agents keep.
const DefaultPrerun = 2

// NoLimit is the MaxNodes that means any number.
const NoLimit = -1

// DefaultPolicy returns what OWT's agent of that purpose does: audio, video
// and analytics give every task a node of its own, all others one node a room.
// When full, these share nodes, save conference and sip.
func DefaultPolicy(purpose string) Policy {
	p := purposes.Of(purpose)
	return Policy{Prerun: DefaultPrerun, MaxNodes: NoLimit, PerTask: p.PerTask, ReuseWhenFull: !p.PerTask && !p.OwnRoom}
}

// Validate returns what is wrong, by the name of the field.
func (p Policy) Validate() error {
	switch {
	case p.Prerun < 0:
		return fmt.Errorf("agent: Policy.Prerun must not be negative, but is %d", p.Prerun)
	case p.MaxNodes == 0:
		return errors.New("agent: Policy.MaxNodes must be positive, or -1 for no limit, not 0")
	case p.MaxNodes < NoLimit:
		return fmt.Errorf("agent: Policy.MaxNodes must be positive, or -1 for no limit, not %d", p.MaxNodes)
	case p.PerTask && p.ReuseWhenFull:
		return errors.New("agent: Policy.ReuseWhenFull must not be set with PerTask, which lets no tasks share a node")
	}
	return nil
}

package client

import (
	"fmt"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// The defaults of Options.
const (
	DefaultCluster    = muster.DefaultCluster
	DefaultTimeout    = 5 * time.Second
	DefaultTryTimeout = bus.DefaultTimeout * time.Millisecond
)

// Options say which manager is asked, and how patiently. The zero value of a
// field means its default.
type Options struct {
	// Cluster is the name of the cluster, and of its manager on the bus.
	Cluster string
	// Timeout is how long a call may take, with all its tries, where the
	// caller's context has no deadline.
	Timeout time.Duration
	// TryTimeout is how long one try to reach the manager may take. Longer
	// than a busy manager needs, or it gets the same call again and again.
	TryTimeout time.Duration
	// WaitReady tries again, too, while the manager has just started and
	// places no tasks yet (ErrNotReady).
	WaitReady bool
	// PlainOWT leaves out what OWT's own manager does not understand: an
	// argument of schedule that asks for explanations.
	PlainOWT bool
	// Operator is who gives orders with this client, for the audit, where an
	// order does not say.
	Operator muster.Operator
}

// DefaultOptions returns the options with every default filled in.
func DefaultOptions() Options { return Options{}.withDefaults() }

func (o Options) withDefaults() Options {
	if o.Cluster == "" {
		o.Cluster = DefaultCluster
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.TryTimeout <= 0 {
		o.TryTimeout = DefaultTryTimeout
	}
	return o
}

// Validate returns what is wrong, by the name of the field: for options that
// come from outside. New takes a time that is not positive for the default.
func (o Options) Validate() error {
	switch {
	case o.Timeout < 0:
		return fmt.Errorf("client: Timeout must be positive, not %v", o.Timeout)
	case o.TryTimeout < 0:
		return fmt.Errorf("client: TryTimeout must be positive, not %v", o.TryTimeout)
	}
	return nil
}

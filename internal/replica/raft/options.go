package raft

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// Options configure a Replica.
type Options struct {
	// Cluster is the name of the cluster. Managers of other clusters are refused.
	Cluster string
	// Addr is the host:port at which the others reach this manager. It is also its
	// name among them, so it must be spelled the same everywhere.
	Addr string
	// Listen is the address to listen on, if that is not Addr.
	Listen string
	// Listener, unless nil, is used instead of Listen. The Replica closes it.
	Listener net.Listener
	// Peers are the addresses of all managers that create the cluster, including
	// Addr. A manager that joins a running cluster lists only the others.
	Peers []string
	// Label is shown by the others in Status, such as a process id.
	Label string

	// Secret is shared by the managers of the cluster, at least 16 bytes. They
	// authenticate each other and encrypt with it.
	Secret []byte
	// TLS, instead or in addition, has a certificate, and the authority of the
	// other managers' certificates (RootCAs, and ClientCAs if that differs).
	TLS *tls.Config

	// Dir is the directory of the log. If it is empty the log is in memory, and a
	// manager that restarts gets everything from the others.
	Dir string
	// Restored accepts Dir even if other managers remember more, which otherwise
	// stops this manager with ErrStaleLog. Use it for one start of all managers from
	// copies of their directories. What was answered after the copies were made is
	// lost.
	Restored bool

	// Tick is the unit of time. A follower campaigns after ElectionTicks to twice
	// as many without a message of the leader. More of them lengthen the gap when a
	// leader is cut off; fewer cause needless elections on a busy machine.
	// HeartbeatTicks is the time between two heartbeats of the leader.
	Tick           time.Duration
	ElectionTicks  int
	HeartbeatTicks int

	// CompactBytes is the size of the log at which a snapshot replaces it, or the
	// half the size of the last snapshot if that is larger.
	CompactBytes int
	// MaxSnapshot is the largest snapshot that is accepted from another manager, in
	// bytes.
	MaxSnapshot int64

	// Placement configures the state of a cluster that this manager creates. An
	// existing one keeps its own: see state.Configure.
	Placement state.Config
	// Observe is called for the commands of other managers. It may be nil.
	Observe Observer
	// Logger may be nil, which discards the log.
	Logger *slog.Logger
}

// DefaultOptions returns options for managers in one network: a leader that is
// cut off is replaced after 100 to 200 ms.
func DefaultOptions() Options {
	return Options{
		Cluster:        muster.DefaultCluster,
		Tick:           10 * time.Millisecond,
		ElectionTicks:  10,
		HeartbeatTicks: 2,
		CompactBytes:   16 << 20,
		MaxSnapshot:    4 << 30,
		Placement:      state.DefaultConfig(),
	}
}

// WithElectionTimeout returns options with which a leader is replaced after d to
// 2 × d of silence. Five heartbeats fit into d, so that a late one does no harm.
// d is rounded down to Ticks, and is at least five of them.
//
// An election takes two round trips to the other managers, so d must be several
// times as long, or terms pass without a leader. TCP resends lost packets after
// 200 ms or more, so d should be a second or more on a network that loses some.
func (o Options) WithElectionTimeout(d time.Duration) Options {
	o.ElectionTicks = max(minElectionTicks, int(d/o.Tick))
	o.HeartbeatTicks = o.ElectionTicks / 5
	return o
}

// minElectionTicks is the shortest time-out into which five heartbeats fit.
const minElectionTicks = 5

// Validate returns an error that names the first wrong option.
func (o Options) Validate() error {
	if err := o.validateManagers(); err != nil {
		return err
	}
	switch {
	case o.Secret == nil && o.TLS == nil && len(o.others()) > 0:
		return errors.New("raft: Secret or TLS must be set: managers authenticate each other")
	case o.Secret != nil && len(o.Secret) < 16:
		return fmt.Errorf("raft: Secret of %d bytes: use 16 or more, from a random source", len(o.Secret))
	case len(o.Label) > maxText:
		return fmt.Errorf("raft: Label of %d bytes: use %d or less", len(o.Label), maxText)
	case o.Tick <= 0:
		return errors.New("raft: Tick must be positive")
	case o.HeartbeatTicks < 1:
		return errors.New("raft: HeartbeatTicks must be 1 or more")
	case o.ElectionTicks < 3*o.HeartbeatTicks:
		return fmt.Errorf("raft: ElectionTicks must be at least 3 × HeartbeatTicks (%d), or a late heartbeat starts an election", 3*o.HeartbeatTicks)
	case o.CompactBytes < 1<<10:
		return errors.New("raft: CompactBytes must be 1024 or more")
	case o.MaxSnapshot < 1<<20:
		return errors.New("raft: MaxSnapshot must be 1048576 or more")
	}
	if err := o.Placement.Validate(); err != nil {
		return fmt.Errorf("raft: Placement: %w", err)
	}
	return nil
}

func (o Options) validateManagers() error {
	if o.Cluster == "" {
		return errors.New("raft: Cluster must have a name, such as owt-cluster")
	}
	if len(o.Peers) == 0 {
		return errors.New("raft: Peers must name the managers; one that is alone names itself")
	}
	for _, addr := range append([]string{o.Addr}, o.Peers...) {
		if err := validateAddr(addr); err != nil {
			return err
		}
	}
	if sorted := slices.Sorted(slices.Values(o.Peers)); len(slices.Compact(sorted)) < len(o.Peers) {
		return errors.New("raft: Peers must name each manager once")
	}
	return nil
}

func validateAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || port == "" || len(addr) > maxText {
		return fmt.Errorf("raft: address %q of a manager must be host:port, as the others reach it", addr)
	}
	return nil
}

// others returns the peers without this manager.
func (o Options) others() []string {
	return slices.DeleteFunc(slices.Clone(o.Peers), func(addr string) bool { return addr == o.Addr })
}

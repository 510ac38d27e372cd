package raft

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/muster-fleet/muster/internal/state"
)

// Options are what a Replica is started with.
type Options struct {
	// Cluster is the name of the cluster. Managers of others are refused.
	Cluster string
	// Addr is the host and port at which the others reach this manager. It is
	// also its name among them: it must be spelled the same everywhere.
	Addr string
	// Listen is what this manager listens at, where that is not Addr.
	Listen string
	// Listener takes the place of listening at Listen. The Replica closes it.
	Listener net.Listener
	// Peers are the addresses of all managers that form the cluster, with Addr
	// among them. A manager that is added to a running cluster names the
	// others only.
	Peers []string
	// Label is what the others show of this manager, such as a process id.
	Label string

	// Secret is known to the managers of the cluster alone. They prove to each
	// other that they have it, and encrypt with it. At least 16 bytes.
	Secret []byte
	// TLS, instead or as well, has a certificate, and the authority that those
	// of the other managers must be of (RootCAs; ClientCAs where they differ).
	TLS *tls.Config

	// Dir is where the log is kept. Empty: in memory, and a manager that
	// starts again gets everything from the others.
	Dir string
	// Restored takes Dir as it is, even where other managers have a record of more:
	// ErrStaleLog otherwise ends this manager. Use it for one start of all managers
	// from copies of their directories. What was answered after the copies were made
	// is forgotten.
	Restored bool

	// Tick is the unit of time. ElectionTicks of silence, up to twice as many,
	// make a follower campaign; more make a cut-off leader's gap longer, fewer
	// elect without cause on a busy machine. HeartbeatTicks are between two
	// signs of incarnation of the leader.
	Tick           time.Duration
	ElectionTicks  int
	HeartbeatTicks int

	// CompactBytes is how long the log grows before a snapshot replaces it. It
	// grows to the size of the snapshot where that is more.
	CompactBytes int
	// MaxSnapshot bounds the snapshot that is taken from another manager.
	MaxSnapshot int64

	// Placement is the configuration of a cluster that this manager forms. One
	// that exists keeps its own: see state.Configure.
	Placement state.Config
	// Observe hears of the commands that other managers proposed. May be nil.
	Observe Observer
	// Logger may be nil.
	Logger *slog.Logger
}

// DefaultOptions returns the options that suit managers in one network:
// a leader that is cut off is replaced after 100 to 200 ms.
func DefaultOptions() Options {
	return Options{
		Cluster:        "owt-cluster",
		Tick:           10 * time.Millisecond,
		ElectionTicks:  10,
		HeartbeatTicks: 2,
		CompactBytes:   16 << 20,
		MaxSnapshot:    4 << 30,
		Placement:      state.DefaultConfig(),
	}
}

// WithElectionTimeout returns the options for a leader that is replaced when it
// was silent for d to 2 × d. Five heartbeats come in that time, so that a late
// one is no silence. d counts in whole Ticks, and is at least five.
//
// A vote takes a round trip to the other managers, and twice that with the
// question before it: d must be several times as long, or terms follow each
// other without anybody leading. What a network loses TCP sends again after 200
// ms at the earliest, so that d should be a second or more where packets are lost.
func (o Options) WithElectionTimeout(d time.Duration) Options {
	o.ElectionTicks = max(minElectionTicks, int(d/o.Tick))
	o.HeartbeatTicks = o.ElectionTicks / 5
	return o
}

// minElectionTicks is the shortest silence in which five heartbeats come.
const minElectionTicks = 5

// Validate returns what is wrong, by the name of the option.
func (o Options) Validate() error {
	if err := o.validateManagers(); err != nil {
		return err
	}
	switch {
	case o.Secret == nil && o.TLS == nil && len(o.others()) > 0:
		return errors.New("raft: Secret or TLS must be set: managers do not talk to strangers")
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

// others are the peers that are not this manager.
func (o Options) others() []string {
	return slices.DeleteFunc(slices.Clone(o.Peers), func(addr string) bool { return addr == o.Addr })
}

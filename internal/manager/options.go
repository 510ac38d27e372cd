package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/liveness"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// Options are what a manager is started with.
type Options struct {
	// Cluster is the name of the cluster, and of the server that the manager
	// is on the bus.
	Cluster string
	// ClusterID is what getClusterID answers; the name where it is empty.
	ClusterID string
	// Replica is this manager's copy of a state that it shares with others. Nil
	// means that it is alone. It stays the caller's to close, after the
	// manager.
	Replica replica.Replica
	// Members tells how the managers stand, for status. Nil where this one is
	// alone.
	Members func(context.Context) ([]muster.Member, error)
	// Membership changes who the managers are. Nil where that is not possible.
	Membership Membership
	// Cloud hears of the cluster while this manager leads. Nil means that there
	// is none.
	Cloud Cloud
	// Version is shown in the answer to status.
	Version string
	// Settings can change while the manager runs.
	Settings
	// Tracer records requests of which their senders do, and placements. Nil records
	// none.
	Tracer trace.Tracer
	// Logger hears of changes to the cluster. Nil means none.
	Logger *slog.Logger
}

// Cloud is what OWT's cascading reports to. Its methods must not block.
type Cloud interface {
	// Capacity reports that the first worker of a purpose joined, or that the
	// last one left.
	Capacity(purpose string, there bool)
	// Conference reports what getClusterID was asked with, Register and Leave
	// likewise what registerInfo and leaveConference were: any JSON, or nil.
	Conference(room, token json.RawMessage)
	Register(info json.RawMessage)
	Leave(room json.RawMessage)
}

// Settings are the options that can change while a manager runs.
type Settings struct {
	// InitialTime is how long a manager that has just started waits for
	// workers before it places tasks. 0 means that it does not wait.
	InitialTime time.Duration
	// CheckAliveInterval is how often the signs of life are counted. A worker
	// that gave none in CheckAliveCount intervals, and the one after, is lost.
	CheckAliveInterval time.Duration
	CheckAliveCount    int
	// MaxSilentShare is the share of the workers, from 0 to 1, that may be lost
	// in one interval. Where more are silent, none is given up: what they
	// would be heard through is more likely to have failed. It counts from
	// liveness.FewSilent workers on; 1 gives up any number.
	MaxSilentShare float64
	// RecheckShare is the share of the workers, from 0 to 1, that may be lost in
	// one interval after a time in which none was given up, or could be: at
	// least one. 1 means any number.
	RecheckShare float64
	// StaleAfter is how long no manager leads before a look-up is answered from the
	// last state, marked as stale. OWT's programs wait for 2 s. 0 means never.
	StaleAfter time.Duration
	// Placement says how tasks are placed.
	Placement state.Config
}

// DefaultOptions returns the options that OWT's manager has.
func DefaultOptions() Options {
	return Options{
		Cluster: muster.DefaultCluster,
		Settings: Settings{
			InitialTime:        10 * time.Second,
			CheckAliveInterval: time.Second,
			CheckAliveCount:    10,
			MaxSilentShare:     0.5,
			RecheckShare:       liveness.DefaultPace,
			StaleAfter:         time.Second,
			Placement:          state.DefaultConfig(),
		},
	}
}

// Validate returns what is wrong, by the name of the option.
func (o Options) Validate() error {
	if o.Cluster == "" {
		return errors.New("manager: Cluster must have a name, such as owt-cluster")
	}
	if err := muster.CheckName(o.Cluster, muster.MaxName); err != nil {
		return fmt.Errorf("manager: Cluster %w", err)
	}
	return o.Settings.validate()
}

func (s Settings) validate() error {
	switch {
	case s.InitialTime < 0:
		return errors.New("manager: InitialTime must not be negative")
	case s.CheckAliveInterval <= 0:
		return errors.New("manager: CheckAliveInterval must be positive")
	case s.CheckAliveCount < 0:
		return errors.New("manager: CheckAliveCount must not be negative")
	case !(s.MaxSilentShare >= 0 && s.MaxSilentShare <= 1):
		return errors.New("manager: MaxSilentShare must be from 0 to 1")
	case !(s.RecheckShare >= 0 && s.RecheckShare <= 1):
		return errors.New("manager: RecheckShare must be from 0 to 1")
	case s.StaleAfter < 0:
		return errors.New("manager: StaleAfter must not be negative")
	}
	return nil
}

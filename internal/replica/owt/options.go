package owt

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica/owt/election"
	"github.com/muster-fleet/muster/internal/state"
)

// Options say with whom a Replica shares the state.
type Options struct {
	// Conn is the message queue. It is the caller's, who closes it after the
	// Replica.
	Conn bus.Conn
	// Cluster names the topic, Cluster.management.
	Cluster string
	// ID is the manager's, from election.MinID to election.MaxID;
	// 0 draws one.
	ID int64
	// Placement is how this manager places tasks, should it lead. It does not
	// travel.
	Placement state.Config
	// Timing is the zero value for OWT's.
	Timing election.Timing
	// Refresh is how often a slave asks a master for the state that does not
	// number its updates, as Node's do not; 0 means five seconds. Less finds
	// holes sooner and costs the master a copy of the state each time.
	Refresh time.Duration
	// Now and Ticks are the clock and what makes a Replica look at it, some
	// hundred times a second. Nil means time.Now and a ticker.
	Now   func() time.Time
	Ticks <-chan time.Time
	// Logger hears of roles, and of messages that cannot be read. Nil means
	// none.
	Logger *slog.Logger
}

const (
	tickEvery      = 10 * time.Millisecond
	defaultRefresh = 5 * time.Second
)

func (o Options) completed() (Options, error) {
	if o.Conn == nil {
		return o, errors.New("owt: Options.Conn is missing: open a message queue first")
	}
	if o.Cluster == "" {
		return o, errors.New("owt: Options.Cluster is empty: use the cluster's name, as owt-cluster")
	}
	if o.ID == 0 {
		o.ID = election.MinID + rand.Int64N(election.MaxID-election.MinID)
	}
	if o.ID < election.MinID || o.ID > election.MaxID {
		return o, fmt.Errorf("owt: Options.ID %d: use %d to %d, or 0 to draw one", o.ID, election.MinID, election.MaxID)
	}
	if o.Timing == (election.Timing{}) {
		o.Timing = election.DefaultTiming()
	}
	if o.Refresh <= 0 {
		o.Refresh = defaultRefresh
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("component", "replica/owt", "id", o.ID)
	return o, nil
}

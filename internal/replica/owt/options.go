package owt

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica/owt/election"
	"github.com/muster-fleet/muster/internal/state"
)

// Options configure a Replica.
type Options struct {
	// Conn is the message queue. The caller closes it after the Replica.
	Conn bus.Conn
	// Cluster names the topic, Cluster.management.
	Cluster string
	// ID is the manager's id, from election.MinID to election.MaxID;
	// 0 draws one at random.
	ID int64
	// Placement is how this manager places tasks when it leads. It is not
	// replicated.
	Placement state.Config
	// Timing is OWT's if zero.
	Timing election.Timing
	// Refresh is how often a slave requests the state from a master that does not
	// number its updates, as Node's masters do not; 0 means five seconds. A
	// shorter time finds gaps sooner and costs the master a copy of the state
	// each time.
	Refresh time.Duration
	// Now is the clock, and Ticks makes a Replica look at it, about a hundred
	// times a second. Nil means time.Now and a ticker.
	Now   func() time.Time
	Ticks <-chan time.Time
	// Logger logs changes of role and malformed messages. Nil means none.
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
	o.ID = cmp.Or(o.ID, election.MinID+rand.Int64N(election.MaxID-election.MinID))
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
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler)).With("component", "replica/owt", "id", o.ID)
	return o, nil
}

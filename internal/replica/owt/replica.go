package owt

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/owt/election"
	"github.com/muster-fleet/muster/internal/state"
)

// Replica is a manager that takes part in OWT's protocol. Between calls of its
// methods it only receives and sends: heart-beats are made when its owner calls
// Apply, so a master whose owner hangs is replaced.
type Replica struct {
	opts  Options
	name  string // the ID, as in keys
	log   *slog.Logger
	start time.Time

	ledger      *ledger
	election    *election.Election
	role        replica.Role
	announced   extension         // as a master; the term is the highest seen
	unpublished []json.RawMessage // updates of a master that may have been replaced
	retiring    retirement
	periods     uint64 // the election's term that roleChanged has handled
	feed        feed   // as a slave
	wanted      []int64
	stats       Stats

	ready  mailbox.Signal
	inbox  *mailbox.Box[incoming]
	outbox *outbox
	// leads lets a master ignore its own updates, which the broker returns.
	leads atomic.Bool
	// down is set while the connection is lost, and broken once it is back:
	// updates published in the meantime were missed.
	down, broken atomic.Bool

	sub     bus.Subscription
	unwatch func()
	cancel  context.CancelFunc
	ticking sync.WaitGroup
}

var _ replica.Replica = (*Replica)(nil)

// Stats count what happened to messages.
type Stats struct {
	// Malformed messages could not be read, in whole or in part, and were ignored.
	Malformed uint64
	// Dropped messages arrived while the owner was too busy; Unsent ones could
	// not be sent, or not in time.
	Dropped, Unsent uint64
	// Requests is how often this manager requested the state from a master, Gaps
	// how often it had missed something.
	Requests, Gaps uint64
}

// Open joins the managers of a cluster, as a candidate. It returns when the
// broker has confirmed the subscription.
func Open(ctx context.Context, o Options) (*Replica, error) {
	o, err := o.completed()
	if err != nil {
		return nil, err
	}
	r := &Replica{
		opts: o, name: strconv.FormatInt(o.ID, 10), log: o.Logger, start: o.Now(), ready: mailbox.NewSignal(), inbox: mailbox.Bounded[incoming](inboxLimit),
		retiring: newRetirement(), ledger: newLedger(o.Placement), election: election.New(o.ID, o.Timing),
	}
	if r.sub, err = o.Conn.Subscribe(ctx, topicOf(o.Cluster), keyPattern, r.listen); err != nil {
		return nil, fmt.Errorf("owt: listening to the managers of %s: %w", o.Cluster, err)
	}
	own, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.outbox = newOutbox(o.Conn, topicOf(o.Cluster), o.Now)
	r.unwatch = o.Conn.Watch(r.watch)
	r.ticking.Go(func() { r.tickUntil(own.Done()) })
	return r, nil
}

// Close leaves the cluster without a message, as OWT's managers do: the slaves
// notice the silence. A master that must lose no call calls Retire first. The
// owner calls Close, and no other method after it.
func (r *Replica) Close() error {
	r.unwatch()
	r.cancel()
	r.ticking.Wait()
	r.outbox.close()
	if err := r.sub.Close(); err != nil {
		return fmt.Errorf("owt: leaving the managers of %s: %w", r.opts.Cluster, err)
	}
	return nil
}

// ID returns the manager's id.
func (r *Replica) ID() int64 { return r.opts.ID }

// State implements replica.Replica. It may return another object after a slave
// has adopted its master's state.
func (r *Replica) State() *state.State { return r.ledger.state }

// Role implements replica.Replica. A master is the leader only while it cannot
// have been replaced. Each of our masters takes a Term above all that it has
// seen; Node's masters have none.
func (r *Replica) Role() replica.Role { return r.role }

// Ready implements replica.Replica.
func (r *Replica) Ready() <-chan struct{} { return r.ready }

// Stats returns the counts so far.
func (r *Replica) Stats() Stats {
	s := r.stats
	s.Dropped = r.dropped()
	s.Unsent = r.outbox.failed()
	return s
}

func (r *Replica) dropped() uint64 { return r.sub.Dropped() + r.inbox.Dropped() }

// Apply implements replica.Replica.
func (r *Replica) Apply() {
	r.retire()
	for _, l := range r.inbox.Take() {
		r.receive(l)
	}
	now := r.clock()
	for _, m := range r.election.Tick(now) {
		r.sendElection(m)
	}
	r.roleChanged()
	r.serveRequests()
	r.tickFeed(now)
	r.role = r.currentRole(now)
}

// TaskEvents does nothing: OWT's managers follow each task, so that the events
// are always made.
func (r *Replica) TaskEvents(bool) {}

// Read implements replica.Replica: a leader vouches for its state at once.
func (r *Replica) Read(f func(*state.State, error)) { f(r.ledger.state, r.refusal()) }

// refusal returns nil on a leader.
func (r *Replica) refusal() error {
	if r.serves(r.clock()) {
		return nil
	}
	r.wake()
	id := r.election.MasterID()
	if id == 0 || id == r.opts.ID {
		return replica.NotLeaderError{}
	}
	return replica.NotLeaderError{Leader: strconv.FormatInt(id, 10)}
}

func (r *Replica) currentRole(now time.Duration) replica.Role {
	role := replica.Role{Kind: replica.Candidate, Term: r.announced.Term}
	switch {
	case r.serves(now):
		role.Kind = replica.Leader
	case r.election.Role() == election.Slave:
		role.Kind = replica.Follower
	default:
		return role
	}
	role.Leader = strconv.FormatInt(r.election.MasterID(), 10)
	return role
}

// serves reports whether this manager is a master that may answer.
func (r *Replica) serves(now time.Duration) bool {
	return r.election.Serving(now) && !r.retiring.finished(now)
}

// clock returns the time since the start. Changes of the system time do not
// affect it.
func (r *Replica) clock() time.Duration { return r.opts.Now().Sub(r.start) }

// instant returns the current time, as the time of the start plus clock.
func (r *Replica) instant() muster.Instant { return muster.InstantOf(r.start.Add(r.clock())) }

// wake signals the owner that Apply has something to do.
func (r *Replica) wake() { r.ready.Raise() }

func (r *Replica) tickUntil(done <-chan struct{}) {
	ticks := r.opts.Ticks
	if ticks == nil {
		ticker := time.NewTicker(tickEvery)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case <-done:
			return
		case <-ticks:
			r.wake()
		}
	}
}

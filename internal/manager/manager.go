// Package manager implements the cluster manager: OWT's methods on a bus, on top
// of a replica of the state. It is the only place where clock, bus and state
// meet.
//
// Requests are decoded where they arrive, then wait in one inbox. One goroutine
// owns the state. It takes what has arrived as one batch, turns changes into
// commands that carry the time and a seed, and answers each request when its
// command has been applied. A malformed request is refused with the reason and
// never reaches the state.
//
//	bus ── decode ──▶ inbox ── batch ──▶ replica ──▶ state ──▶ answers, notices
//	                            ▲
//	        clock: liveness, reservations, initial time
//
// All of that is a core, which changes in steps. A Manager makes them when its
// connection, its clock or its replica has something; a Stepped manager, of a
// simulation, when asked to.
package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

// ErrServed is wrapped by the error of Start if another manager serves the
// cluster.
var ErrServed = errors.New("another manager serves this cluster")

// ErrClosed is returned by a call on a manager after Close.
var ErrClosed = errors.New("manager: closed")

const (
	// expireEvery is the interval at which reservations are checked. It bounds how
	// late one ends, and how many end at once: requests wait meanwhile.
	expireEvery = 20 * time.Millisecond
	// probeTime is how long Start waits for an answer of another manager.
	probeTime = 300 * time.Millisecond
	// noticeTime bounds the publishing of a notice.
	noticeTime = time.Second
)

// Manager is a running manager: a core, and around it a connection, a clock and
// goroutines. Close stops it.
type Manager struct {
	conn       bus.Conn
	log        *slog.Logger
	core       *core
	clock      func() Moment
	ownerCalls chan input
	server     *leaderServer
	notifier   *notifier
	*errands
	parts
	sub     bus.Subscription // of the beacon, nil for a single manager
	unwatch func()
	stop    context.CancelFunc
	ended   <-chan struct{} // closed when the owner stops; nil before it starts
	done    sync.WaitGroup
}

// Start starts a manager on the connection, which the caller closes after the
// manager. It returns when the manager serves requests or, as one of several, is
// ready to take over. The error wraps ErrServed if the cluster already has a
// manager that shares no state with this one.
func Start(ctx context.Context, conn bus.Conn, opts Options) (*Manager, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts.ClusterID = cmp.Or(opts.ClusterID, opts.Cluster)
	alone := opts.Replica == nil
	if alone {
		if err := probe(ctx, conn, opts.Cluster); err != nil {
			return nil, err
		}
		opts.Replica = replica.NewLocal(opts.Placement)
	}
	m := newManager(conn, opts, alone)
	if err := m.begin(ctx, alone); err != nil {
		return nil, err
	}
	return m, nil
}

// begin adopts the role of the replica, starts to serve, and starts the
// goroutines.
func (m *Manager) begin(ctx context.Context, alone bool) error {
	var err error
	if m.beacon != nil {
		if m.sub, err = m.conn.Subscribe(ctx, topicManagers, "lead.*", m.beacon.listen); err != nil {
			return fmt.Errorf("manager: subscribe to the other managers: %w", err)
		}
	}
	if err := m.probe.open(ctx); err != nil {
		return errors.Join(fmt.Errorf("manager: subscribe to its own probes: %w", err), m.closeBeacon())
	}
	m.core.step((*core).begin)
	if err := m.server.open(ctx, alone); err != nil {
		return errors.Join(err, m.probe.close(), m.closeBeacon())
	}
	running, stop := context.WithCancel(context.Background())
	m.stop, m.ended = stop, running.Done()
	m.unwatch = m.conn.Watch(m.core.connection)
	m.done.Go(func() { m.run(running) })
	m.done.Go(func() { m.server.run(running) })
	m.done.Go(func() { m.notifier.run(running) })
	m.done.Go(func() { m.feed.run(running) })
	m.done.Go(func() { m.probe.run(running) })
	if m.beacon != nil {
		m.done.Go(func() { m.runBeacon(running) })
	}
	return nil
}

func (m *Manager) closeBeacon() error {
	if m.sub == nil {
		return nil
	}
	return m.sub.Close()
}

func newManager(conn bus.Conn, opts Options, alone bool) *Manager {
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)).With("component", "manager", "cluster", opts.Cluster)
	m := &Manager{conn: conn, log: opts.Logger, clock: newClock(), ownerCalls: make(chan input), errands: newErrands(conn, opts.Logger)}
	m.probe, m.feed = newProbe(conn, opts.Cluster), newFeed(conn, opts.Cluster, m.log)
	if !alone {
		m.beacon = newLeaderBeacon(opts.Cluster, strconv.FormatUint(rand.Uint64(), 36))
	}
	m.core = newCore(opts, m, rand.NewPCG(rand.Uint64(), rand.Uint64()), m.parts)
	m.server = newLeaderServer(conn, opts.Cluster, m.core.handle, m.log)
	m.notifier = newNotifier(conn, m.log, m.core.measures.noticesFailed)
	return m
}

// newClock returns the time of this machine.
func newClock() func() Moment {
	began := time.Now()
	return func() Moment {
		now := time.Now()
		return Moment{Wall: muster.InstantOf(now), Passed: now.Sub(began)}
	}
}

// trace returns nil for a request that is not recorded. It has the machine's time,
// since requests arrive on goroutines of the queue, before a step has them.
func (c *core) trace(req *bus.Request) *traced {
	if c.opts.Tracer == nil || req.Trace.Parent == "" && !beginsTrace[req.Method] {
		return nil
	}
	return &traced{sender: req.Trace.In(context.Background()), method: req.Method, arrived: time.Now(), began: c.out.now().Passed}
}

// probe looks for another manager of the cluster: two on one queue would get half
// of the calls each.
func probe(ctx context.Context, conn bus.Conn, cluster string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	_, err := conn.Call(ctx, cluster, "getClusterID")
	if refusal := (*bus.RemoteError)(nil); err == nil || errors.As(err, &refusal) {
		return fmt.Errorf("manager: %w: %s (end it first, or choose another cluster name)", ErrServed, cluster)
	}
	if errors.Is(err, bus.ErrNoServer) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return fmt.Errorf("manager: look for another manager of %s: %w", cluster, err)
}

// Reconfigure changes the settings of a running manager. InitialTime takes
// effect at the next start only. After Close it returns ErrClosed.
func (m *Manager) Reconfigure(ctx context.Context, s Settings) error {
	if err := s.validate(); err != nil {
		return err
	}
	return m.callOwner(ctx, func(c *core) { c.configure(s) })
}

// callOwner has the goroutine that owns the state make a step, and waits for it to
// return. After Close it returns ErrClosed.
func (m *Manager) callOwner(ctx context.Context, in input) error {
	finished := make(chan struct{})
	select {
	case m.ownerCalls <- func(c *core) { in(c); close(finished) }:
	case <-m.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	<-finished
	return nil
}

// now implements surroundings, as the following do.
func (m *Manager) now() Moment { return m.clock() }

func (m *Manager) serve(role replica.Role) { m.server.setRole(role) }

func (m *Manager) left(e muster.WorkerLeft) { m.notifier.enqueue(e) }

func (m *Manager) enter(in input) {
	select {
	case m.ownerCalls <- in:
	case <-m.ended:
	}
}

// Close stops the manager, and returns when its goroutines have ended. Requests
// that wait are not answered.
func (m *Manager) Close() error {
	m.unwatch()
	err := errors.Join(m.server.close(), m.probe.close(), m.closeBeacon())
	m.stop()
	m.done.Wait()
	m.running.Wait()
	m.notifier.close()
	return err
}

// run owns the state until ctx ends.
func (m *Manager) run(ctx context.Context) {
	c := m.core
	ticks := time.NewTimer(0)
	defer ticks.Stop()
	next := time.Duration(0) // when the timer ends
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.inbox.ready:
			c.step((*core).work)
		case <-c.replica.Ready():
			c.step((*core).apply)
		case <-ticks.C:
			next = -1
			c.step((*core).tick)
		case in := <-m.ownerCalls:
			c.step(in)
		}
		if c.next() != next {
			next = c.next()
			ticks.Reset(next - m.now().Passed)
		}
	}
}

// runBeacon sends what the beacon has to send until ctx ends.
func (m *Manager) runBeacon(ctx context.Context) {
	m.beacon.ready.Follow(ctx, func() {
		for key, message, ok := m.beacon.take(); ok; key, message, ok = m.beacon.take() {
			m.publishBeacon(ctx, key, message)
		}
	})
}

// publishBeacon sends one message. A failure is only logged: the question is
// repeated.
func (m *Manager) publishBeacon(ctx context.Context, key string, message beaconMessage) {
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	if err := m.conn.Publish(ctx, topicManagers, key, message); err != nil {
		m.log.Debug("leader beacon not sent", "key", key, "err", err)
	}
}

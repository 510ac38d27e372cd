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
package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
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

// Manager is a running manager. Close stops it.
type Manager struct {
	conn       bus.Conn
	log        *slog.Logger
	core       *core
	inbox      *inbox
	parked     parkedCalls // requests that arrived while no manager led
	ownerCalls chan func()
	server     *leaderServer
	beacon     *leaderBeacon // nil for a single manager
	notifier   *notifier
	unwatch    func()
	link       link
	probe      *queueProbe // nil in a simulation
	initial    *time.Timer // the end of the initial time
	staleReads staleReads
	leaderless *time.Timer // the next look for a leader
	heard      int64       // beacon.heard at the last look
	losses     int64       // link.losses at the last look
	more       bool        // the last batch left requests in the inbox
	stop       context.CancelFunc
	ended      <-chan struct{} // closed when the owner stops; nil before it starts
	done       sync.WaitGroup
}

// Start starts a manager on the connection, which the caller closes after the
// manager. It returns when the manager serves requests or, as one of several, is
// ready to take over. The error wraps ErrServed if the cluster already has a
// manager that shares no state with this one.
func Start(ctx context.Context, conn bus.Conn, opts Options) (*Manager, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if opts.ClusterID == "" {
		opts.ClusterID = opts.Cluster
	}
	alone := opts.Replica == nil
	if alone {
		if err := probe(ctx, conn, opts.Cluster); err != nil {
			return nil, err
		}
		opts.Replica = replica.NewLocal(opts.Placement)
	}
	m := newManager(conn, opts)
	if err := m.begin(ctx, alone); err != nil {
		return nil, err
	}
	return m, nil
}

// begin adopts the role of the replica, starts to serve, and starts the
// goroutines.
func (m *Manager) begin(ctx context.Context, alone bool) error {
	if !alone {
		m.beacon = newLeaderBeacon(m.conn, m.core.opts.Cluster, m.log)
		if err := m.beacon.open(ctx); err != nil {
			return fmt.Errorf("manager: subscribe to the other managers: %w", err)
		}
	}
	var err error
	if m.probe, err = openProbe(ctx, m.conn, m.core.opts.Cluster); err != nil {
		return errors.Join(fmt.Errorf("manager: subscribe to its own probes: %w", err), m.closeBeacon())
	}
	m.follow()
	m.followLeaderless() // also where it begins as a candidate
	if err := m.server.open(ctx, alone); err != nil {
		return errors.Join(err, m.probe.close(), m.closeBeacon())
	}
	running, stop := context.WithCancel(context.Background())
	m.stop, m.ended = stop, running.Done()
	m.unwatch = m.conn.Watch(m.connection)
	m.done.Go(func() { m.run(running) })
	m.done.Go(func() { m.server.run(running) })
	m.done.Go(func() { m.notifier.run(running) })
	m.done.Go(func() { m.core.feed.run(running) })
	m.done.Go(func() { m.probe.run(running) })
	if m.beacon != nil {
		m.done.Go(func() { m.beacon.run(running) })
	}
	return nil
}

func (m *Manager) closeBeacon() error {
	if m.beacon == nil {
		return nil
	}
	return m.beacon.close()
}

func newManager(conn bus.Conn, opts Options) *Manager {
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("component", "manager", "cluster", opts.Cluster)
	m := &Manager{conn: conn, log: log, inbox: newInbox(), ownerCalls: make(chan func()), initial: stopped(), leaderless: stopped()}
	m.staleReads.after = opts.StaleAfter
	m.server = newLeaderServer(conn, opts.Cluster, m.handle, log)
	m.core = &core{
		opts:     opts,
		log:      log,
		seed:     rand.Uint64,
		replica:  opts.Replica,
		measures: newMeasures(),
		panicLog: rateLimit{every: panicLogEvery},
		dropLog:  rateLimit{every: panicLogEvery},
	}
	if opts.Replica != nil { // it is set in every manager that runs
		opts.Replica.TaskEvents(false)
	}
	m.notifier = newNotifier(conn, log, m.core.measures.noticesFailed)
	m.core.notify = m.notifier.enqueue
	m.core.drainer = newDrainer(conn)
	m.core.onOwner = m.passToOwner
	if conn != nil {
		m.core.recycler = newRecycler(conn)
		m.core.feed = newFeed(conn, opts.Cluster, log)
	}
	m.core.unheard = func() bool { return !m.link.up() }
	m.core.keepTime(newClock())
	m.core.alive = m.core.newLiveness()
	return m
}

// stopped returns a timer that does not run.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
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
	return m.callOwner(ctx, func() {
		s.InitialTime = m.core.opts.InitialTime
		m.core.opts.Settings = s
		m.core.alive.SetLimit(s.CheckAliveCount, s.MaxSilentShare)
		m.core.alive.SetPace(s.RecheckShare)
		m.staleReads.after = s.StaleAfter
		m.watchLeaderless()
		if m.core.leads() {
			m.core.propose(nil, state.Configure{Config: s.Placement}, nil)
			m.core.flush()
		}
		m.log.Info("settings changed")
	})
}

// callOwner runs f on the goroutine that owns the state, and waits for it to
// return. After Close it returns ErrClosed.
func (m *Manager) callOwner(ctx context.Context, f func()) error {
	finished := make(chan struct{})
	select {
	case m.ownerCalls <- func() { f(); close(finished) }:
	case <-m.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	<-finished
	return nil
}

// passToOwner runs f on the goroutine that owns the state, without waiting for it to
// return. After Close it does nothing.
func (m *Manager) passToOwner(f func()) {
	select {
	case m.ownerCalls <- f:
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
	m.core.background.Wait()
	m.notifier.close()
	return err
}

// handle handles a request from the bus.
func (m *Manager) handle(req *bus.Request) {
	m.core.contain(req, "decode", func() { m.read(req) })
}

func (m *Manager) read(req *bus.Request) {
	if m.probe.takes(req) {
		return
	}
	detachArgs(req)
	act, err := decode(req.Method, req.Args)
	if err != nil {
		m.core.measures.refused.Inc()
		m.log.Debug("request refused", "method", req.Method, "err", err)
		req.Fail(err.Error())
		return
	}
	if left, ok := m.inbox.put(item{act: act, req: req}); !ok {
		m.reject(left.req)
	}
}

// run owns the state until ctx ends.
func (m *Manager) run(ctx context.Context) {
	c := m.core
	expire := time.NewTicker(expireEvery)
	defer expire.Stop()
	interval := c.opts.CheckAliveInterval
	check := time.NewTicker(interval)
	defer check.Stop()
	defer m.initial.Stop()
	defer m.leaderless.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.inbox.ready:
			m.work()
		case <-expire.C:
			c.expire()
			m.parked.expire(time.Now())
		case <-m.leaderless.C:
			m.lookForLeader()
		case <-check.C:
			m.work() // waiting signs of life count before the silence does
			m.check()
		case <-m.initial.C:
			c.enterService()
		case <-c.replica.Ready():
			c.replica.Apply()
			m.follow()
			m.resume()
		case f := <-m.ownerCalls:
			f()
			if c.opts.CheckAliveInterval != interval {
				interval = c.opts.CheckAliveInterval
				check.Reset(interval)
			}
		}
	}
}

// follow adopts the current role of the replica.
func (m *Manager) follow() {
	if !m.core.follow() {
		return
	}
	m.initial.Stop()
	if m.core.leads() && !m.core.inService {
		m.initial.Reset(m.core.opts.InitialTime)
	}
	m.followLeaderless()
	if m.core.role.Kind != replica.Candidate {
		m.doAll(m.parked.take(nil))
	}
}

// doAll carries out requests that waited.
func (m *Manager) doAll(waited []item) {
	for _, it := range waited {
		m.do(it)
	}
	m.core.flush()
}

// do carries a request out if this manager leads, or serves stale reads and the
// request is a look-up. Others wait while no manager leads, since this one may
// lead next.
func (m *Manager) do(it item) {
	switch {
	case m.core.leads(), m.answersStale(it):
		m.core.guard(it.req, "act", func() { it.act(m.core, it.req) })
	case m.staleReads.on && isSoonRepeated(it):
		it.req.Done()
	case m.core.role.Kind == replica.Candidate && !m.ledElsewhere() && m.parked.park(it, time.Now()):
		if m.staleReads.on {
			m.parked.trim(staleReadsRoom)
		}
	default:
		m.core.giveBack(it.req)
	}
}

// work carries out the requests in the inbox, as one batch.
func (m *Manager) work() {
	var batch []item
	batch, m.more = m.inbox.take(m.core.room())
	m.noteMissed()
	if len(batch) > 0 {
		m.core.measures.batch.Observe(float64(len(batch)))
	}
	for _, it := range batch {
		m.do(it)
	}
	clear(batch) // let go of the requests
	m.core.flush()
	m.resume()
}

// resume continues with requests that the last batch left in the inbox.
func (m *Manager) resume() {
	if room := m.core.room(); m.more && room.requests > 0 && room.bytes > 0 {
		m.inbox.wake()
	}
}

// check counts the silence of the workers, unless none could be heard.
func (m *Manager) check() {
	if m.core.role.Kind != replica.Candidate {
		m.core.departures.record(m.core.replica.State())
	}
	m.probeQueue()
	switch m.link.look() {
	case linkDown:
	case linkBack:
		m.core.alive.Reset()
		m.core.logEvictions(m.core.evictions())
	case linkUp:
		m.core.tick()
	}
}

// probeQueue checks whether the queue carries messages.
func (m *Manager) probeQueue() {
	switch {
	case m.probe == nil:
		return
	case !m.link.usable.Load():
		m.probe.forget()
		m.link.setStale(false)
		return
	}
	found := m.probe.next(m.core.leads(), m.core.opts.CheckAliveInterval)
	if !m.link.setStale(found != probesCarried) {
		return
	}
	switch found {
	case probesCarried:
		m.log.Info("message queue delivers again")
	case noticesLate:
		m.core.measures.losses.Inc()
		m.log.Warn("eviction suspended: message queue does not deliver this manager's own probes")
	case requestsLate:
		m.core.measures.losses.Inc()
		m.log.Warn("eviction suspended: requests wait in the message queue, and signs of life among them")
	}
}

// connection handles a change of the connection to the bus.
func (m *Manager) connection(s bus.Status) {
	m.link.set(s)
	if s.Usable() {
		m.log.Info("connected to the message queue")
	} else {
		m.core.measures.losses.Inc()
		m.log.Warn("eviction suspended: message queue unreachable", "err", s.Err)
	}
}

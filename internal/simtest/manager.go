package simtest

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/raft"
	"github.com/muster-fleet/muster/internal/state"
)

// The times of managers. Those of Raft are the real ones, those of liveness a
// fifth of them.
const (
	raftTick      = 10 * time.Millisecond
	checkInterval = 200 * time.Millisecond
	checkCount    = 10
	initialTime   = 500 * time.Millisecond
	// turnTime is the most that one goroutine of a manager waits for its turn.
	turnTime = 150 * time.Microsecond
	// diskTime is about how long a write takes on a disk that is well.
	diskTime = time.Millisecond
	// compactBytes is how long a log grows: little, so that there are many snapshots.
	compactBytes = 6000
	// giveBackAfter is how long a request is kept that a follower gives back.
	giveBackAfter = 5 * time.Millisecond
	// staleAfter is how long no manager leads before stale reads are served.
	staleAfter = 200 * time.Millisecond
)

// epoch is when every simulation begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// simManager is a machine on which a manager runs, and after its death another,
// which finds what the disk has.
type simManager struct {
	client
	durable bool
	disk    disk
	slow    time.Duration // what a write takes more while the disk is slow
	clock   time.Duration // by which the machine's clock is wrong

	stepped *manager.Stepped
	link    *link
	role    replica.Role // the last that the queue was to be told
	watch   watch
	// unheard is since when it knows that no worker can be heard, 0 if they can.
	unheard time.Duration
}

func newSimManager(s *Sim, name string, durable bool) *simManager {
	m := &simManager{durable: durable}
	m.sim, m.name = s, name
	m.connected = m.reconnected
	m.gone = func() {
		if m.watch.lost = s.now; m.stepped != nil {
			m.stepped.Connection(bus.Status{})
		}
	}
	return m
}

func (m *simManager) boot() {
	s := m.sim
	m.stepped, m.role, m.unheard, m.watch = nil, replica.Role{}, 0, newWatch(s.now)
	m.client.boot()
	if !m.durable {
		m.disk = disk{}
	}
	s.logf("%s starts", m.name)
	if m.link = newLink(m); m.link == nil {
		return
	}
	opts := manager.DefaultOptions()
	opts.Cluster, opts.Replica = cluster, m.link
	opts.InitialTime, opts.CheckAliveInterval, opts.CheckAliveCount = initialTime, checkInterval, checkCount
	opts.StaleAfter, opts.Placement = staleAfter, state.DefaultConfig()
	m.stepped = manager.NewStepped(opts, m, s.rng)
	m.every(raftTick, m.link.tick)
	m.every(holdCheck, m.checkHeld)
	m.link.collect()
}

// Now implements manager.Surroundings, as the following do.
func (m *simManager) Now() manager.Moment {
	return manager.Moment{Wall: muster.InstantOf(epoch.Add(m.sim.now + m.clock)), Passed: m.sim.now}
}

// Rest implements manager.Surroundings.
func (m *simManager) Rest(until time.Duration) {
	m.rest(until-m.sim.now, func() { m.stepped.Tick() })
}

// Left implements manager.Surroundings.
func (m *simManager) Left(e muster.WorkerLeft) {
	m.sim.logf("%s tells that %s left (%s)", m.name, e.Worker, e.Reason)
}

// Publish implements manager.Surroundings.
func (m *simManager) Publish(key string, body json.RawMessage) {
	m.sim.truth.announces(m, key, body)
	if m.conn != nil {
		m.conn.toQueue(func() { m.sim.broker.tellAll(key, body) })
	}
}

func (m *simManager) hear(key string, body json.RawMessage) { m.stepped.Hear(key, body) }

// cluster is the name of the cluster.
const cluster = muster.DefaultCluster

// Serve implements manager.Surroundings: it tells the queue who leads.
func (m *simManager) Serve(role replica.Role) {
	m.role = role
	m.takeStand()
}

func (m *simManager) takeStand() {
	if m.conn == nil {
		return
	}
	c, rank := m.conn, int64(-1)
	if m.role.Kind == replica.Leader {
		rank = int64(m.role.Term)
	}
	c.toQueue(func() { m.sim.broker.stand(c, rank, m.deliver, m.hear) })
}

func (m *simManager) reconnected() {
	m.takeStand()
	m.unheard, m.watch.steady = 0, m.sim.now
	if m.stepped != nil {
		m.stepped.Connection(bus.Status{Connected: true})
	}
	if m.sim.now < m.sim.broker.blocked {
		m.hearBlocked(m.conn, true)
	}
}

// hearBlocked has the manager hear, on a connection, whether the queue takes
// messages.
func (m *simManager) hearBlocked(c *conn, blocked bool) {
	c.toClient(func() {
		if m.conn != c || m.stepped == nil {
			return
		}
		m.unheard = 0
		if blocked {
			m.unheard, m.watch.lost = m.sim.now, m.sim.now
		}
		m.stepped.Connection(bus.Status{Connected: true, Blocked: blocked})
	})
}

// deliver is a request that came from the queue.
func (m *simManager) deliver(at *stand, l *letter) {
	c := at.conn
	var send func(bus.Reply)
	if l.wanted {
		m.watch.takes(l, m.sim.now)
		send = func(r bus.Reply) { m.answer(at, l, r) }
	}
	settle := func(done bool) {
		delete(m.watch.held, l)
		wait := time.Duration(0)
		if !done {
			wait = giveBackAfter
			if l.tooLarge() {
				m.sim.failf("%s gives back a request that no log takes: %s/%d %s", m.name, l.from, l.number, l.method)
			}
		}
		m.when(wait, func() {
			if c.clientOpen {
				c.toQueue(func() { m.sim.broker.settle(at, l, done) })
			}
		})
	}
	call := bus.Call{Method: l.method, Args: l.args, Codes: true}
	if m.sim.broker.lossy {
		m.stepped.Handle(bus.NewRequest(call, send))
	} else {
		m.stepped.Handle(bus.NewHeldRequest(call, send, settle))
	}
	m.work()
}

// answer sends an answer, and then tells the queue, which may not care, that the
// request was dealt with. On a connection that is known to be lost it is not sent.
func (m *simManager) answer(at *stand, l *letter, r bus.Reply) {
	s, c := m.sim, at.conn
	delete(m.watch.held, l)
	if !c.clientOpen {
		return
	}
	s.truth.leaving(m, l, r)
	c.toQueue(func() { s.broker.back(l, r, nil) })
	m.when(s.between(0, time.Millisecond), func() {
		if c.clientOpen {
			c.toQueue(func() { s.broker.settle(at, l, true) })
		}
	})
}

// work gives the owner of the state a turn.
func (m *simManager) work() { m.turn(func() { m.stepped.Work() }) }

// apply gives it one for what was decided.
func (m *simManager) apply() { m.turn(func() { m.stepped.Apply() }) }

func (m *simManager) turn(f func()) { m.when(m.sim.between(0, turnTime), f) }

// resume makes it go on.
func (m *simManager) resume() {
	m.watch.steady = m.sim.now
	m.client.resume()
}

// kill ends the manager. What it wrote last is on the disk or not, up to some
// write. The others see its connections close.
func (m *simManager) kill() {
	if !m.up {
		return
	}
	for n := m.sim.rng.IntN(len(m.link.writes) + 1); n > 0; n-- {
		m.disk.save(m.link.writes[0])
		m.link.writes = m.link.writes[1:]
	}
	m.client.kill()
	for _, other := range m.sim.managers {
		if other != m && other.up && !m.sim.net.isCut(m.name, other.name) {
			other.when(m.sim.between(time.Millisecond, 4*time.Millisecond), func() { other.link.peerGone(m) })
		}
	}
}

// hand asks it to hand over the lead, then kills it: SIGTERM. When all faults
// are over meanwhile, it stays.
func (m *simManager) hand() {
	m.sim.logf("%s is asked to end", m.name)
	m.link.core.Transfer()
	m.link.collect()
	m.when(50*time.Millisecond, func() {
		if !m.sim.closing && (m.sim.mayForget || m.sim.mayLose(m)) {
			m.kill()
		}
	})
}

// leads reports whether it takes itself for the leader.
func (m *simManager) leads() bool { return m.up && m.link.Role().Kind == replica.Leader }

// config is what a life of the manager's Raft is made with.
func (m *simManager) config() raft.CoreConfig {
	s := m.sim
	return raft.CoreConfig{
		Addr: m.name, Peers: s.names(), Seed: s.rng.Uint64(), ElectionTicks: 10, HeartbeatTicks: 2,
		CompactBytes: compactBytes, Placement: state.DefaultConfig(), Durable: m.durable,
	}
}

var errNotWell = errors.New("a manager cannot go on")

package simtest

import (
	"errors"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/raft"
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
	// giveBackAfter is how long a request is kept that a follower gives back.
	giveBackAfter = 5 * time.Millisecond
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
	waited  replica.Role // in which the initial time has begun
	// unheard is since when it knows that nobody can be heard, 0 where it does not.
	unheard time.Duration
}

func newSimManager(s *Sim, name string, durable bool) *simManager {
	m := &simManager{durable: durable}
	m.sim, m.name = s, name
	m.connected = m.reconnected
	m.gone = func() {
		if m.stepped != nil {
			m.stepped.Connected(false)
		}
	}
	return m
}

func (m *simManager) boot() {
	s := m.sim
	m.stepped, m.role, m.waited, m.unheard = nil, replica.Role{}, replica.Role{}, 0
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
	opts.Placement = s.opts.placement()
	m.stepped = manager.NewStepped(opts, manager.Surroundings{
		Now:    func() muster.Instant { return muster.InstantOf(epoch.Add(s.now + m.clock)) },
		Passed: func() time.Duration { return s.now },
		Seed:   s.rng.Uint64,
		Turned: m.turned,
		Left:   func(e muster.WorkerLeft) { s.logf("%s tells that %s left (%s)", m.name, e.Worker, e.Reason) },
	})
	m.every(raftTick, m.link.tick)
	m.every(manager.ExpireEvery, m.stepped.Expire)
	m.every(checkInterval, m.stepped.Check)
	m.link.collect()
}

// cluster is the name of the cluster.
const cluster = "owt-cluster"

// turned tells the queue who leads.
func (m *simManager) turned(role replica.Role) {
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
	c.toQueue(func() { m.sim.broker.stand(c, rank, m.deliver) })
}

func (m *simManager) reconnected() {
	m.takeStand()
	m.unheard = 0
	if m.stepped != nil {
		m.stepped.Connected(true)
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
			m.unheard = m.sim.now
		}
		m.stepped.Blocked(blocked)
	})
}

// deliver is a request that came from the queue.
func (m *simManager) deliver(at *stand, l *letter) {
	c := at.conn
	var send func(bus.Reply)
	if l.wanted {
		send = func(r bus.Reply) { m.answer(at, l, r) }
	}
	settle := func(done bool) {
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
	call := bus.Call{Method: l.method, Args: l.args}
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
func (m *simManager) apply() {
	m.turn(func() {
		m.stepped.Apply()
		m.wait()
	})
}

func (m *simManager) turn(f func()) { m.when(m.sim.between(0, turnTime), f) }

// wait begins the initial time of a leader.
func (m *simManager) wait() {
	role := m.link.Role()
	if !m.stepped.Waiting() || m.waited == role {
		return
	}
	m.waited = role
	m.when(initialTime, func() {
		if m.link.Role() == role && m.stepped.Waiting() {
			m.stepped.EnterService()
		}
	})
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
		CompactBytes: s.opts.compactBytes(), OwnSnapshotBytes: s.opts.compactBytes(), Placement: s.opts.placement(), Durable: m.durable,
	}
}

var errNotWell = errors.New("a manager cannot go on")

package manager

import (
	"cmp"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/liveness"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// core is a manager without a queue, a clock and goroutines: the state, the
// liveness of workers, the requests that wait, and what is decided about them.
// It changes in steps only (see step), which one goroutine makes.
type core struct {
	opts    Options
	log     *slog.Logger
	out     surroundings
	at      Moment // of the step
	clock   clock  // the time of commands
	seed    rand.Source
	replica replica.Replica
	alive   *liveness.Liveness
	role    replica.Role
	// inService is false for the first InitialTime of a cluster, so that workers
	// of earlier managers come back before tasks are placed.
	inService  bool
	staleReads staleReads
	drainer    drainer
	// lastHeard is the last sign of life of each worker, by the time of commands.
	lastHeard map[string]muster.Instant

	// The times at which something is due: reservations and parked calls are
	// looked at, silence is counted, the initial time ends, a leader is looked for.
	expiry, checks, initial, leaderless alarm

	departures departures
	parked     parkedCalls // requests that arrived while no manager led
	more       bool        // the last batch left requests in the inbox
	pending    []replica.Proposal
	// tracing is the request that is being carried out, and traceID the trace of the
	// one that is being answered, where they are recorded.
	tracing *traced
	traceID string
	signs   signs
	// deciding is the size of proposals and reads that are under way.
	deciding size
	// rejoining are workers of which a report was dropped. The answer to their
	// next keep-alive makes them report everything again.
	rejoining map[string]bool
	// offered is what was reported to the cloud, by purpose.
	offered map[string]bool

	// What follows may be used by any goroutine.
	measures *measures
	inbox    *inbox
	link     link
	parts
	panicLog rate.Sometimes
	dropLog  rate.Sometimes
	returns  returns
}

// parts are those of a core that it shares with goroutines. Each may be nil.
type parts struct {
	beacon *leaderBeacon // nil for a single manager
	probe  *queueProbe   // nil in a simulation, which knows what the queue carries
	feed   *feed         // nil in a simulation
}

func newCore(opts Options, out surroundings, seed rand.Source, shared parts) *core {
	c := &core{
		opts: opts, log: cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)),
		out: out, at: out.now(), seed: seed, replica: opts.Replica,
		staleReads: staleReads{after: opts.StaleAfter},
		drainer:    newDrainer(),
		lastHeard:  map[string]muster.Instant{}, rejoining: map[string]bool{}, offered: map[string]bool{},
		departures: departures{seen: map[string]sighting{}}, signs: signs{undecided: map[string]int{}},
		measures: newMeasures(), inbox: newInbox(), parts: shared,
		panicLog: rate.Sometimes{Interval: logEvery}, dropLog: rate.Sometimes{Interval: logEvery},
	}
	c.alive = c.newLiveness()
	c.replica.TaskEvents(false)
	return c
}

// now is the time of commands.
func (c *core) now() muster.Instant { return c.clock.now(c.at) }

// propose queues a change for the next batch. req is the request behind it, or
// nil. done, which may be nil, is called when the change is decided. Changes and
// look-ups take effect in the order of arrival.
func (c *core) propose(req *bus.Request, op state.Op, done func(state.Result)) {
	weight := weigh(req)
	c.deciding = c.deciding.plus(weight)
	worker := c.signs.proposed(op)
	traced := c.tracing
	c.pending = append(c.pending, replica.Proposal{
		Command: state.Command{At: c.now(), Seed: c.seed.Uint64(), Op: op},
		Done: func(result state.Result, events []muster.Event, err error) {
			c.deciding = c.deciding.minus(weight)
			c.signs.decided(worker)
			id, end := c.decided(traced, op, result, err)
			defer end()
			if err != nil {
				c.undecided(req, err)
				return
			}
			c.guard(nil, "observe", func() { c.observe(events) })
			if done != nil {
				c.traceID = id
				c.guard(req, "answer", func() { done(result) })
			}
		},
	})
}

// undecided ends a request whose command was not applied. It goes to another
// manager where one may be able to carry it out, and fails otherwise.
func (c *core) undecided(req *bus.Request, err error) {
	if req == nil || errors.As(err, new(replica.NotLeaderError)) || errors.Is(err, replica.ErrLost) {
		c.giveBack(req)
		return
	}
	req.Refuse(err)
}

// decidingRoom bounds what is decided at a time. The rest waits in the inbox,
// which is fair, and not in the replica, which is not.
var decidingRoom = size{1024, 16 << 20}

// room returns how much more may be decided now.
func (c *core) room() size {
	room := decidingRoom.minus(c.deciding)
	return size{min(room.requests, orderedRoom.requests), room.bytes}
}

func (c *core) hasRoom() bool {
	room := c.room()
	return room.requests > 0 && room.bytes > 0
}

// weigh returns the cost of a request until it is decided.
func weigh(req *bus.Request) size {
	if req == nil {
		return size{}
	}
	return item{req: req}.size()
}

// leads reports whether this manager leads.
func (c *core) leads() bool { return c.role.Kind == replica.Leader }

// follow adopts the role of the replica, where it changed.
func (c *core) follow() {
	role := c.replica.Role()
	if role == c.role {
		return
	}
	c.role, c.inService = role, false
	c.measures.roles.Inc()
	c.log.Info("role", "role", role.Kind.String(), "term", role.Term, "leader", role.Leader)
	c.alive = c.newLiveness()
	c.feed.follow(role, c.at.Wall)
	c.replica.State().LeftOut() // by commands of another leader
	clear(c.lastHeard)
	c.initial.stop()
	if c.leads() {
		c.lead()
	}
	c.followLeaderless()
	if role.Kind != replica.Candidate {
		c.doAll(c.parked.take(nil))
	}
}

// lead begins a term as leader. Each worker gets a fresh allowance of silence,
// and the manager is in service at once if there are any.
func (c *core) lead() {
	c.clock.lead(c.replica.State().Now(), c.at)
	for _, e := range c.departures.unannounced(c.replica.State()) {
		c.log.Info("re-announcing departure: previous leader may have died before publishing it", "worker", e.Worker)
		c.out.left(e)
	}
	c.propose(nil, state.Configure{Config: c.opts.Placement}, nil) // the leader's configuration is in force
	c.reportAllCapacity()
	workers := c.replica.State().Workers(state.AllPurposes)
	for _, worker := range workers {
		c.alive.Heard(worker)
	}
	if len(workers) > 0 {
		c.alive.Reset()
	}
	if len(workers) > 0 || c.opts.InitialTime == 0 {
		c.enterService()
	} else {
		c.initial.set(c.at.Passed + c.opts.InitialTime)
	}
}

func (c *core) newLiveness() *liveness.Liveness {
	l := liveness.NewLiveness(c.opts.CheckAliveCount, c.opts.MaxSilentShare)
	l.SetPace(c.opts.RecheckShare)
	return l
}

// flush proposes what is queued, as one batch.
func (c *core) flush() {
	batch := c.pending
	c.pending = nil
	c.signs.flushed()
	if len(batch) > 0 {
		c.replica.Propose(batch...)
	}
}

// lookUp answers a look-up from a state that includes everything answered
// before. While stale reads are served it answers from the last state, marked as
// stale.
func (c *core) lookUp(req *bus.Request, answer func(*state.State)) {
	if c.staleReads.on {
		c.measures.stale.Inc()
		req.Stale(c.staleAge())
		answer(c.replica.State())
		return
	}
	c.flush()
	weight := weigh(req)
	c.deciding = c.deciding.plus(weight)
	c.replica.Read(func(s *state.State, err error) {
		c.deciding = c.deciding.minus(weight)
		if err != nil {
			c.giveBack(req)
			return
		}
		c.guard(req, "answer", func() { answer(s) })
	})
}

// observe handles the events of an applied command.
func (c *core) observe(events []muster.Event) {
	c.feed.observe(events, c.replica.State().PurposeOf)
	c.feed.skip(c.replica.State().LeftOut())
	c.replica.TaskEvents(c.feed.wantsTasks())
	for _, e := range events {
		switch e := e.(type) {
		case muster.WorkerJoined:
			c.alive.Heard(e.Worker)
			c.noteHeard(e.Worker)
			c.reportCapacity(e.Purpose)
			c.log.Info("worker joined", "worker", e.Worker, "purpose", e.Purpose)
		case muster.WorkerLeft:
			c.alive.Forget(e.Worker)
			delete(c.lastHeard, e.Worker)
			delete(c.rejoining, e.Worker)
			c.reportCapacity(e.Purpose)
			c.measures.left.WithLabelValues(c.measures.purpose(e.Purpose, true), string(e.Reason)).Inc()
			c.log.Info("worker left", "worker", e.Worker, "purpose", e.Purpose, "reason", string(e.Reason))
			c.out.left(e)
			c.departures.announced(e.Worker)
		case muster.WorkerStateChanged:
			c.log.Info("worker state", "worker", e.Worker, "state", e.State.String())
		case muster.PurposeForgotten:
			c.log.Info("purpose without workers forgotten", "purpose", e.Purpose)
		case muster.TaskRefused:
			c.refusedPickUp(e)
		}
	}
}

// since is the time since then, also within a step: how long decisions take is
// measured, and nothing depends on it.
func (c *core) since(begin Moment) time.Duration { return c.out.now().Passed - begin.Passed }

// countSilence ends one liveness interval, and removes the workers lost by it.
func (c *core) countSilence() {
	if !c.leads() {
		return
	}
	before := c.evictions()
	lost := c.alive.Tick()
	if c.alive.Held() > 0 {
		c.measures.held.Inc()
	}
	if now := c.evictions(); now.State != before.State {
		c.logEvictions(now)
	}
	for _, worker := range lost {
		c.log.Warn("worker lost: no sign of life", "worker", worker,
			"intervals", c.opts.CheckAliveCount, "interval", c.opts.CheckAliveInterval)
		c.propose(nil, state.WorkerLost{Worker: worker}, nil)
	}
}

// logEvictions logs a change of the state of evictions.
func (c *core) logEvictions(now evictions) {
	switch now.State {
	case evictionsTooMany:
		c.log.Warn("eviction suspended: too many workers silent at once (max_silent_share)", "silent", now.Silent)
	case evictionsPaced:
		c.log.Info("eviction resumed: silent workers are evicted a few at a time (recheck_share)")
	default:
		c.log.Info("eviction of silent workers back to normal")
	}
}

// enterService ends the initial time.
func (c *core) enterService() {
	if !c.inService {
		c.inService = true
		c.log.Info("in service", "workers", len(c.replica.State().Workers(state.AllPurposes)))
	}
}

// expire ends the reservations whose time has passed.
func (c *core) expire() {
	if !c.leads() {
		return
	}
	c.propose(nil, state.Expire{}, nil)
	if c.replica.State().PurposesDue() {
		c.propose(nil, state.ForgetPurposes{}, nil)
	}
	c.lookAtDrains()
}

// join adds a worker. One that is known already lost contact for a while. The
// answer "in-service", which OWT's manager gives, would make it drop its tasks;
// "initializing" makes it pick them up again. A worker of Muster gets the same
// answer when it is unknown, since a single manager may have lost its state: it
// drops tasks that another worker has by then as soon as it calls checkWorker.
func (c *core) join(req *bus.Request, purpose, worker string, info muster.Info) {
	op := state.Join{Purpose: purpose, Worker: worker, Info: info}
	c.propose(req, op, func(result state.Result) {
		phase := c.phase()
		if result.Already || state.Incarnation(info.Raw) != "" {
			phase = phaseInitializing
		}
		answer(req, phase, result.Err)
	})
}

// The phases of a manager, in OWT's words.
const (
	phaseInitializing = "initializing"
	phaseInService    = "in-service"
	// phaseNoQuorum is Muster's own; only status shows it.
	phaseNoQuorum = "no-quorum"
)

func (c *core) phase() string {
	if c.staleReads.on {
		return phaseNoQuorum
	}
	if c.inService {
		return phaseInService
	}
	return phaseInitializing
}

func (c *core) schedule(req *bus.Request, op state.Schedule, wanted wanted) {
	if !c.inService {
		c.measures.placed(op.Purpose, state.Result{Err: muster.ReasonNotReady}, 0, "")
		req.Refuse(muster.ReasonNotReady)
		return
	}
	begin := c.out.now()
	c.propose(req, op, func(result state.Result) {
		answerSchedule(req, result, wanted)
		c.measures.placed(op.Purpose, result, c.since(begin), c.traceID)
		c.feed.decided(op, result)
	})
}

// configure changes the settings.
func (c *core) configure(s Settings) {
	s.InitialTime = c.opts.InitialTime
	if s.CheckAliveInterval != c.opts.CheckAliveInterval {
		c.checks.start(c.at.Passed, s.CheckAliveInterval)
	}
	c.opts.Settings = s
	c.alive.SetLimit(s.CheckAliveCount, s.MaxSilentShare)
	c.alive.SetPace(s.RecheckShare)
	c.staleReads.after = s.StaleAfter
	c.watchLeaderless()
	if c.leads() {
		c.propose(nil, state.Configure{Config: s.Placement}, nil)
	}
	c.log.Info("settings changed")
}

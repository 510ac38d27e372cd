package manager

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/liveness"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// core is what the manager's one goroutine owns: the state, who is alive, and
// the commands that wait to be proposed together.
type core struct {
	opts    Options
	log     *slog.Logger
	now     func() muster.Instant
	clock   *clock        // behind now, nil where that is something else
	seed    func() uint64 // of commands
	replica replica.Replica
	alive   *liveness.Liveness
	role    replica.Role
	// inService is false for the first InitialTime of a cluster: workers that
	// managers before it knew come back before tasks are placed.
	inService bool
	// stale tells how old the state is while this manager answers from one that
	// nobody vouches for; nil while it does not.
	stale func() time.Duration
	// unheard tells that no worker can be heard now. It may be nil.
	unheard func() bool
	// left tells the world that a worker is gone.
	notify func(muster.WorkerLeft)
	// recycler ends tasks at OWT's agents; nil where there is no queue.
	recycler *recycler

	measures   *measures
	panicLog   rateLimit
	dropLog    rateLimit
	returns    returns
	departures departures
	pending    []replica.Proposal
	// deciding is what was proposed or is to be read, and is not decided yet.
	deciding size
	// rejoining are workers of which a report was dropped: their next keep-alive
	// makes them repeat all.
	rejoining map[string]bool
	// offered are the purposes that the cloud was told of.
	offered map[string]bool
	// asking are the goroutines that ask how the managers stand.
	background sync.WaitGroup
}

// propose queues a change that req asks for, nil where nobody does; done, which
// may be nil, is called when it has been decided. Changes and look-ups take
// effect in the order in which they came.
func (c *core) propose(req *bus.Request, op state.Op, done func(state.Result)) {
	weight := weigh(req)
	c.deciding = c.deciding.plus(weight)
	c.pending = append(c.pending, replica.Proposal{
		Command: state.Command{At: c.now(), Seed: c.seed(), Op: op},
		Done: func(result state.Result, events []muster.Event, err error) {
			c.deciding = c.deciding.minus(weight)
			if err != nil {
				c.undecided(req, err)
				return
			}
			c.guard(nil, "observe", func() { c.observe(events) })
			if done != nil {
				c.guard(req, "answer", func() { done(result) })
			}
		},
	})
}

// undecided ends a request whose command was not applied: for now, where
// another manager may do it, and for good where none can.
func (c *core) undecided(req *bus.Request, err error) {
	if req == nil || errors.As(err, new(replica.NotLeaderError)) || errors.Is(err, replica.ErrLost) {
		c.giveBack(req)
		return
	}
	req.Fail(err.Error())
}

// decidingRoom is how much is decided at a time. What comes meanwhile waits in
// the inbox, which is fair, and not in the replica, which is not.
var decidingRoom = size{1024, 16 << 20}

// room is how much more may be decided now.
func (c *core) room() size {
	room := decidingRoom.minus(c.deciding)
	return size{min(room.requests, orderedRoom.requests), room.bytes}
}

// weigh is what a request costs until it is decided.
func weigh(req *bus.Request) size {
	if req == nil {
		return size{}
	}
	return item{req: req}.size()
}

// leads tells whether this manager decides.
func (c *core) leads() bool { return c.role.Kind == replica.Leader }

// follow takes up the role that the replica has, and tells whether it is
// another than before. A new leader gives the workers that it takes over a
// fresh allowance of silence, and is in service at once where there are any.
func (c *core) follow() (changed bool) {
	role := c.replica.Role()
	if role == c.role {
		return false
	}
	c.role, c.inService = role, false
	c.measures.roles.Inc()
	c.log.Info("role", "role", role.Kind.String(), "term", role.Term, "leader", role.Leader)
	c.alive = c.newLiveness()
	if !c.leads() {
		return true
	}
	if c.clock != nil {
		c.clock.lead(c.replica.State().Now())
	}
	for _, e := range c.departures.unannounced(c.replica.State()) {
		c.log.Info("told once more that the worker left: the leader before may have told nobody", "worker", e.Worker)
		c.notify(e)
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
	}
	return true
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
	if len(batch) > 0 {
		c.replica.Propose(batch...)
	}
}

// lookUp answers a look-up from a state that has everything in it that was
// answered before or, where nobody vouches for one, from the last, marked.
func (c *core) lookUp(req *bus.Request, answer func(*state.State)) {
	if c.stale != nil {
		c.measures.stale.Inc()
		req.Stale(c.stale())
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

// observe follows what happened to the cluster.
func (c *core) observe(events []muster.Event) {
	for _, e := range events {
		switch e := e.(type) {
		case muster.WorkerJoined:
			c.alive.Heard(e.Worker)
			c.reportCapacity(e.Purpose)
			c.log.Info("worker joined", "worker", e.Worker, "purpose", e.Purpose)
		case muster.WorkerLeft:
			c.alive.Forget(e.Worker)
			delete(c.rejoining, e.Worker)
			c.reportCapacity(e.Purpose)
			c.measures.left.WithLabelValues(c.measures.purpose(e.Purpose, true), string(e.Reason)).Inc()
			c.log.Info("worker left", "worker", e.Worker, "purpose", e.Purpose, "reason", string(e.Reason))
			c.notify(e)
			c.departures.announced(e.Worker)
		case muster.WorkerStateChanged:
			c.log.Info("worker state", "worker", e.Worker, "state", e.State.String())
		case muster.PurposeForgotten:
			c.log.Info("purpose forgotten: it has had no workers", "purpose", e.Purpose)
		case muster.TaskRefused:
			c.refusedPickUp(e)
		}
	}
}

// tick lets one liveness interval pass, and removes the workers lost by it.
func (c *core) tick() {
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
	c.flush()
}

// logEvictions says in the log how it is held from now on.
func (c *core) logEvictions(now evictions) {
	switch now.State {
	case evictionsTooMany:
		c.log.Warn("too many workers are silent at once: none of them is given up (see max_silent_share)", "silent", now.Silent)
	case evictionsPaced:
		c.log.Info("the workers are checked again: those that stay silent are given up a few at a time (see recheck_share)")
	default:
		c.log.Info("silent workers are given up as ever")
	}
}

// enterService ends the initial time.
func (c *core) enterService() {
	if !c.inService {
		c.inService = true
		c.log.Info("in service", "workers", len(c.replica.State().Workers(state.AllPurposes)))
	}
}

// expire ends the reservations that are over.
func (c *core) expire() {
	if !c.leads() {
		return
	}
	c.propose(nil, state.Expire{}, nil)
	if c.replica.State().PurposesDue() {
		c.propose(nil, state.ForgetPurposes{}, nil)
	}
	c.flush()
}

// join takes a worker in. One that is known already lost contact for a while:
// told "in-service", as OWT's manager does, it would drop the tasks that it
// runs; told "initializing" it picks them up again. So does a worker of Muster's
// that is not known, after a lone manager lost its state: what another worker
// has by then it drops as soon as it asks (checkWorker).
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
	// phaseNoQuorum is none of OWT's; only status shows it.
	phaseNoQuorum = "no-quorum"
)

func (c *core) phase() string {
	if c.stale != nil {
		return phaseNoQuorum
	}
	if c.inService {
		return phaseInService
	}
	return phaseInitializing
}

func (c *core) keepAlive(req *bus.Request, worker string) {
	c.flush()
	if !c.replica.State().Has(worker) {
		req.Reply("whoareyou")
		return
	}
	c.alive.Heard(worker)
	if c.rejoining[worker] {
		delete(c.rejoining, worker)
		req.Reply("whoareyou")
		return
	}
	if c.role.Leader != "" { // one of several: a worker that sees another term repeats what it told lately
		req.Term(c.role.Term)
	}
	req.Reply("ok")
}

// maxReports is how many reports travel as one command, which must not grow too
// large to be replicated.
const maxReports = 4096

// reportLoad lets reports that come one after another travel as one command. A
// cast counts as dealt with at once: a report that is lost is soon followed by
// the next.
func (c *core) reportLoad(req *bus.Request, worker string, load float64) {
	if purpose, ok := c.replica.State().PurposeOf(worker); ok {
		c.measures.load.WithLabelValues(c.measures.purpose(purpose, true)).Observe(load)
	}
	if req.Wanted() {
		change(state.ReportLoad{Loads: []state.WorkerLoad{{Worker: worker, Load: load}}})(c, req)
		return
	}
	req.Done()
	report := state.WorkerLoad{Worker: worker, Load: load}
	if n := len(c.pending); n > 0 {
		if last, ok := c.pending[n-1].Command.Op.(state.ReportLoad); ok && len(last.Loads) < maxReports {
			c.pending[n-1].Command.Op = state.ReportLoad{Loads: append(last.Loads, report)}
			return
		}
	}
	c.propose(nil, state.ReportLoad{Loads: []state.WorkerLoad{report}}, nil)
}

func (c *core) schedule(req *bus.Request, op state.Schedule, wanted wanted) {
	if !c.inService {
		c.measures.placed(op.Purpose, state.Result{Err: muster.ReasonNotReady}, 0)
		req.Fail(string(muster.ReasonNotReady))
		return
	}
	begin := time.Now()
	c.propose(req, op, func(result state.Result) {
		answerSchedule(req, result, wanted)
		c.measures.placed(op.Purpose, result, time.Since(begin))
	})
}

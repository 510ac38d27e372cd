package manager

import (
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// Moment is the time of a step.
type Moment struct {
	// Wall is the machine's time, which may be wrong and may be set.
	Wall muster.Instant
	// Passed is the time since some beginning. It never jumps.
	Passed time.Duration
}

// surroundings are what a core acts on beside its replica. A Manager has a queue,
// a clock and goroutines; a Stepped manager has what drives it. No method
// blocks.
type surroundings interface {
	// now is the time.
	now() Moment
	// serve announces to the message queue in which role requests are served.
	serve(role replica.Role)
	// left publishes the departure of a worker.
	left(e muster.WorkerLeft)
	// callAgent calls the agent that a worker is. It reports false if too many are
	// being called.
	callAgent(worker, method string, args ...any) bool
	// handBack publishes notices, and ends the tasks that agents of OWT run.
	handBack(notices []HandBack, owt []state.DrainTask)
	// endTask ends a task at an agent of OWT's that must not run it.
	endTask(worker, task string)
	// async runs f, which may block, beside the steps.
	async(f func())
	// enter makes in the input of a later step. Any goroutine may call it.
	enter(in input)
}

// An input is what a core reacts to: one of the inputs below, or a function that
// reads or configures the core.
type input func(*core)

// step carries out one input. It is the only way to a core, in a running manager
// as in a simulation, and all that a step decides has the time of its beginning.
func (c *core) step(in input) {
	c.at = c.out.now()
	in(c)
	c.flush()
	if c.more && c.hasRoom() {
		c.inbox.ready.Raise()
	}
}

// begin is the first input: it adopts the role that the replica has.
func (c *core) begin() {
	c.expiry.start(c.at.Passed, expireEvery)
	c.checks.start(c.at.Passed, c.opts.CheckAliveInterval)
	c.follow()
	c.followLeaderless() // also where it begins as a candidate
}

// work carries out the requests in the inbox, as one batch.
func (c *core) work() {
	var batch []item
	batch, c.more = c.inbox.take(c.room())
	c.noteMissed()
	if len(batch) > 0 {
		c.measures.batch.Observe(float64(len(batch)))
	}
	c.doAll(batch)
	clear(batch) // let go of the requests
}

// apply carries out what the replica has for its owner, and belongs after each
// signal of Replica.Ready.
func (c *core) apply() {
	c.replica.Apply()
	c.follow()
}

// tick carries out what is due by now. It belongs at the time that next returns.
func (c *core) tick() {
	now := c.at.Passed
	if c.expiry.due(now) {
		c.expire()
		c.parked.expire(now)
	}
	if c.leaderless.due(now) {
		c.lookForLeader()
	}
	if c.initial.due(now) {
		c.enterService()
	}
	if c.checks.due(now) {
		c.work() // waiting signs of life count before the silence does
		c.check()
	}
}

// next is when the next tick belongs.
func (c *core) next() time.Duration {
	first := c.expiry.at
	for _, other := range []alarm{c.checks, c.initial, c.leaderless} {
		if other.on {
			first = min(first, other.at)
		}
	}
	return first
}

// alarm is a time at which something is due, once or again and again.
type alarm struct {
	on    bool
	at    time.Duration
	every time.Duration // 0: once
}

// start makes it due in each interval from now on.
func (a *alarm) start(now, every time.Duration) { *a = alarm{on: true, at: now + every, every: every} }

// set makes it due once.
func (a *alarm) set(at time.Duration) { *a = alarm{on: true, at: at} }

func (a *alarm) stop() { *a = alarm{} }

// due reports whether it is due. Intervals that passed unnoticed, as while the
// process was stopped, count once.
func (a *alarm) due(now time.Duration) bool {
	if !a.on || now < a.at {
		return false
	}
	if a.at += a.every; a.at <= now {
		a.at = now + a.every
	}
	a.on = a.every > 0
	return true
}

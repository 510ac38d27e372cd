package simtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

const (
	// tryTime is how long a caller waits for one answer, patience how long it
	// asks again, from againFirst to againLast later.
	tryTime    = 400 * time.Millisecond
	patience   = 4 * time.Second
	againFirst = 5 * time.Millisecond
	againLast  = 250 * time.Millisecond
)

// attempt is one call, for the judgement at the end.
type attempt struct {
	key        taskKey
	look       bool
	start, end time.Duration
	answered   bool
	worker     string // "" where it is nowhere
}

// simCaller asks for workers, as a portal or a conference controller does.
type simCaller struct {
	client
	idle     bool // makes no calls of its own
	fresh    int  // counts the tasks that it made up
	mine     []taskKey
	open     int // operations under way
	given    int // operations that ended without an answer
	done     int
	drains   int // that it ordered
	attempts []*attempt
}

func newSimCaller(s *Sim, name string, idle bool) *simCaller {
	c := &simCaller{idle: idle}
	c.sim, c.name = s, name
	c.connected = func() {}
	return c
}

func (c *simCaller) boot() {
	c.client.boot()
	if !c.idle {
		c.think()
	}
}

// think makes the next call after a while.
func (c *simCaller) think() {
	c.when(c.sim.between(10*time.Millisecond, 120*time.Millisecond), func() {
		if c.sim.closing {
			return
		}
		c.act()
		c.think()
	})
}

// act does one of the things that callers do.
func (c *simCaller) act() {
	if c.sim.chance(10) {
		c.drainWorker()
		return
	}
	switch k := c.sim.rng.IntN(100); {
	case k < 50 || len(c.mine) == 0:
		c.place(c.newTask())
	case k < 55: // several tasks in one call
		c.placeMany()
	case k < 60: // a task that all callers know
		c.place(c.room())
	case k < 75:
		c.place(c.any())
	case k < 92:
		c.look(c.any(), nil)
	default:
		key := c.any()
		c.mine = slices.DeleteFunc(c.mine, func(k taskKey) bool { return k == key })
		c.look(key, func(worker string) { c.release(key, worker, nil) })
	}
}

// newTask makes up a task, and room is one that all callers know.
func (c *simCaller) newTask() taskKey {
	c.fresh++
	return taskKey{c.sim.purpose(), fmt.Sprintf("%s-%d", c.name, c.fresh)}
}

func (c *simCaller) room() taskKey {
	return taskKey{c.sim.purpose(), fmt.Sprintf("room-%d", c.sim.rng.IntN(4))}
}

func (c *simCaller) any() taskKey { return c.mine[c.sim.rng.IntN(len(c.mine))] }

// reserveTimes are those that callers ask for, in milliseconds. 0 is the
// default.
var reserveTimes = []int{0, 400, 2000, 60_000}

// place asks for a worker, and then mostly has it begin.
func (c *simCaller) place(key taskKey) {
	reserve := reserveTimes[c.sim.rng.IntN(len(reserveTimes))]
	if c.sim.chance(20) {
		c.placeTooLarge(key)
		return
	}
	c.schedule(key, reserve, func(worker, _ string, number uint64) {
		if worker != "" {
			c.got(claim{key: key, worker: worker, number: number}, reserve)
		}
	})
}

// placeMany asks for workers for some new tasks, one that all callers know and
// perhaps one of its own, in one call.
func (c *simCaller) placeMany() {
	keys := []taskKey{c.room()}
	for range 1 + c.sim.rng.IntN(3) {
		keys = append(keys, c.newTask())
	}
	if own := c.any(); c.sim.chance(500) && own != keys[0] {
		keys = append(keys, own)
	}
	reserve := reserveTimes[c.sim.rng.IntN(len(reserveTimes))]
	tasks := make([]map[string]any, len(keys))
	for i, key := range keys {
		tasks[i] = map[string]any{"purpose": key.purpose, "task": key.task, "reserveTime": reserve}
	}
	args := []any{tasks}
	c.operate("scheduleMany", keys, args, func(r bus.Reply, ok bool) {
		for _, claim := range claimsOf(&letter{method: "scheduleMany", args: encode(args)}, r) {
			if ok && claim.worker != "" {
				c.got(claim, reserve)
			}
		}
	})
}

// got is a worker for a task: mostly the caller has it begin.
func (c *simCaller) got(on claim, reserve int) {
	if !slices.Contains(c.mine, on.key) {
		c.mine = append(c.mine, on.key)
	}
	if c.sim.chance(700) {
		c.begin(on.key, on.worker, on.number, reserve)
	}
}

// begin has a task begun. Where that is late, the task is placed again first,
// often on another worker.
func (c *simCaller) begin(key taskKey, worker string, number uint64, reserve int) {
	late := c.lateness(reserve)
	c.when(late, func() { c.sim.use(key, worker, number) })
	if over := time.Duration(reserve) * time.Millisecond; reserve > 0 && late > over && c.sim.chance(500) {
		c.when(over+(late-over)/2, func() {
			if !c.sim.closing {
				c.schedule(key, 60_000, nil)
			}
		})
	}
}

// lateness is how long a caller takes to have its task begun: sometimes longer
// than the reservation lasts.
func (c *simCaller) lateness(reserve int) time.Duration {
	prompt := c.sim.between(0, 100*time.Millisecond)
	if reserve == 0 || reserve > 2000 || !c.sim.chance(250) {
		return prompt
	}
	return time.Duration(reserve)*time.Millisecond*11/10 + 20*time.Millisecond + 5*prompt // also by a slow clock
}

// placeTooLarge asks with a preference that no log takes. It must be refused for
// good, so that the caller does not ask again, and not be given back to the queue
// either (see deliver).
func (c *simCaller) placeTooLarge(key taskKey) {
	large := map[string]string{"isp": strings.Repeat("x", muster.MaxPreference)}
	c.operate("schedule", []taskKey{key}, []any{key.purpose, key.task, large, 400}, func(r bus.Reply, ok bool) {
		switch {
		case ok && !r.Failed:
			c.sim.failf("%s: a preference of %d bytes was taken", key, muster.MaxPreference)
		case ok && unsettled(r):
			c.sim.failf("%s: the caller with a preference of %d bytes is to ask again: %s", key, muster.MaxPreference, r.Err)
		}
	})
}

// schedule asks for a worker. ended, which may be nil, gets the worker and the
// number of the placement, or why there is none.
func (c *simCaller) schedule(key taskKey, reserve int, ended func(worker, refusal string, number uint64)) {
	args := []any{key.purpose, key.task, map[string]string{}, reserve, map[string]bool{"placement": true}}
	c.operate("schedule", []taskKey{key}, args, func(r bus.Reply, ok bool) {
		if ended == nil {
			return
		}
		if !ok {
			ended("", "unanswered", 0)
			return
		}
		claim := scheduleClaim(key, r)
		ended(claim.worker, r.Err, claim.number)
	})
}

// look asks where a task is.
func (c *simCaller) look(key taskKey, found func(worker string)) {
	args := []any{key.purpose, key.task}
	c.operate("getScheduled", []taskKey{key}, args, func(r bus.Reply, ok bool) {
		if ok && !r.Failed && found != nil {
			found(text(r.Data))
		}
	})
}

// release gives a placement up.
func (c *simCaller) release(key taskKey, worker string, ended func(r bus.Reply, ok bool)) {
	c.operate("unschedule", []taskKey{key}, []any{worker, key.task}, func(r bus.Reply, ok bool) {
		if ended != nil {
			ended(r, ok)
		}
	})
}

// operate calls until there is an answer about these tasks, or patience is over.
func (c *simCaller) operate(method string, keys []taskKey, args []any, ended func(r bus.Reply, ok bool)) {
	c.open++
	until := c.sim.now + patience
	var try func(wait time.Duration)
	try = func(wait time.Duration) {
		tries := make([]*attempt, len(keys))
		for i, key := range keys {
			tries[i] = &attempt{key: key, look: method == "getScheduled", start: c.sim.now}
		}
		if method != "unschedule" && method != "drain" && method != "undrain" {
			c.attempts = append(c.attempts, tries...)
		}
		l := &letter{method: method, args: encode(args)}
		c.ask(method, args, tryTime, func(r bus.Reply, err error) {
			for i, claim := range claimsOf(l, r) {
				tries[i].note(claim, r.Stale == 0, err, c.sim.now)
			}
			over := c.sim.now >= until
			if (err != nil || unsettled(r)) && !over {
				c.when(wait, func() { try(min(2*wait, againLast)) })
				return
			}
			c.ended(method, keys, err)
			ended(r, err == nil)
		})
	}
	c.sim.logf("%s: %s %v %v", c.name, method, keys, args)
	try(againFirst)
}

func (c *simCaller) ended(method string, keys []taskKey, err error) {
	c.open--
	c.done++
	if err != nil {
		c.given++
		c.sim.logf("%s gives up: %s %v: %v", c.name, method, keys, err)
	}
}

// unsettled tells the answers after which a caller asks again.
func unsettled(r bus.Reply) bool {
	return r.Failed && (r.Err == muster.ReasonAskAgain.Text || r.Err == muster.ReasonNotReady.Text)
}

// note takes an answer. One from a stale state says nothing of what is now.
func (a *attempt) note(claim claim, current bool, err error, now time.Duration) {
	a.end = now
	if err != nil || !current {
		return
	}
	a.answered = claim.says == saysOn || claim.says == saysNowhere
	a.worker = claim.worker
}

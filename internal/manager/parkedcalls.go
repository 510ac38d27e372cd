package manager

import (
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// callTimeout is how long a call waits for a leader: as long as OWT's programs wait
// for an answer. Carried out later, it would serve nobody.
const callTimeout = bus.DefaultTimeout * time.Millisecond

// parkedRoom is how much waits for a leader.
var parkedRoom = size{1 << 16, 64 << 20}

// lot is where requests wait while nobody leads, in the order in which they
// came: often it is this manager that leads next. It belongs to the goroutine
// that owns the state.
type parkedCalls struct {
	waiting []parkedCall
	// overdue is how many at the front have waited long enough; what is left of
	// them are casts, which nobody repeats.
	overdue int
	used    size // of those that have not left
}

// parked is a request that waits, and since when. One that has left has no act.
type parkedCall struct {
	item
	since time.Time
}

// park lets a request wait, and reports false when too many do.
func (c *parkedCalls) park(it item, now time.Time) bool {
	if len(c.waiting) >= parkedRoom.requests || !parkedRoom.holds(c.used, it.size()) {
		return false
	}
	c.used = c.used.plus(it.size())
	c.waiting = append(c.waiting, parkedCall{it, now})
	return true
}

// expire tells the callers that have waited for too long to ask again.
func (c *parkedCalls) expire(now time.Time) {
	for c.overdue < len(c.waiting) && now.Sub(c.waiting[c.overdue].since) >= callTimeout {
		c.refuseOldest()
	}
}

// trim turns the oldest calls away, so that at most room requests wait that are
// not overdue.
func (c *parkedCalls) trim(room int) {
	for len(c.waiting)-c.overdue > room {
		c.refuseOldest()
	}
}

// refuseOldest makes the oldest that is not overdue so: a call is to ask again.
func (c *parkedCalls) refuseOldest() {
	p := &c.waiting[c.overdue]
	c.overdue++
	if p.act != nil && p.req.Wanted() {
		p.req.Fail(string(muster.ReasonAskAgain))
		c.used = c.used.minus(p.size())
		p.item = item{}
	}
}

// leave takes out the requests that which picks, in their order; nil picks all.
func (c *parkedCalls) take(which func(item) bool) []item {
	var out []item
	for i := range c.waiting {
		if p := &c.waiting[i]; p.act != nil && (which == nil || which(p.item)) {
			out = append(out, p.item)
			c.used = c.used.minus(p.size())
			p.item = item{}
		}
	}
	if which == nil {
		*c = parkedCalls{}
	}
	return out
}

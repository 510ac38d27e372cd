package manager

import (
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// callTimeout is how long a call waits for a leader: as long as OWT's programs
// wait for an answer. Its caller would not see a later one.
const callTimeout = bus.DefaultTimeout * time.Millisecond

// parkedRoom bounds the requests that wait for a leader.
var parkedRoom = size{1 << 16, 64 << 20}

// parkedCalls holds requests that arrive while no manager leads, in the order of
// arrival: this manager may lead next. Only the goroutine that owns the state
// uses it.
type parkedCalls struct {
	waiting []parkedCall
	// overdue is how many at the front have timed out. Of those only casts are
	// left, which are not repeated by their senders.
	overdue int
	used    size // by the requests still in it
}

// parkedCall is a request that waits since a time. Its act is nil once it left.
type parkedCall struct {
	item
	since time.Duration
}

// park adds a request, and reports false if there is no room.
func (c *parkedCalls) park(it item, now time.Duration) bool {
	if len(c.waiting) >= parkedRoom.requests || !parkedRoom.holds(c.used, it.size()) {
		return false
	}
	c.used = c.used.plus(it.size())
	c.waiting = append(c.waiting, parkedCall{it, now})
	return true
}

// expire refuses the calls that have timed out: their callers ask again.
func (c *parkedCalls) expire(now time.Duration) {
	for c.overdue < len(c.waiting) && now-c.waiting[c.overdue].since >= callTimeout {
		c.refuseOldest()
	}
}

// trim refuses the oldest calls, so that at most room requests that have not
// timed out are left.
func (c *parkedCalls) trim(room int) {
	for len(c.waiting)-c.overdue > room {
		c.refuseOldest()
	}
}

// refuseOldest marks the oldest request that has not timed out as timed out, and
// refuses it if it is a call.
func (c *parkedCalls) refuseOldest() {
	p := &c.waiting[c.overdue]
	c.overdue++
	if p.act != nil && p.req.Wanted() {
		p.req.Refuse(muster.ReasonAskAgain)
		c.used = c.used.minus(p.size())
		p.item = item{}
	}
}

// take removes and returns the requests that which selects, in order; nil selects
// all.
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

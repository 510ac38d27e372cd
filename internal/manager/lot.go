package manager

import (
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// patience is how long a call waits for a leader: as long as OWT's programs wait
// for an answer. Carried out later, it would serve nobody.
const patience = bus.DefaultTimeout * time.Millisecond

// lotRoom is how much waits for a leader.
var lotRoom = size{1 << 16, 64 << 20}

// lot is where requests wait while nobody leads, in the order in which they
// came: often it is this manager that leads next. It belongs to the goroutine
// that owns the state.
type lot struct {
	waiting []parked
	// overdue is how many at the front have waited long enough; what is left of
	// them are casts, which nobody repeats.
	overdue int
	used    size // of those that have not left
}

// parked is a request that waits, and since when. One that has left has no act.
type parked struct {
	item
	since time.Time
}

// park lets a request wait, and reports false when too many do.
func (l *lot) park(it item, now time.Time) bool {
	if len(l.waiting) >= lotRoom.requests || !lotRoom.holds(l.used, it.size()) {
		return false
	}
	l.used = l.used.plus(it.size())
	l.waiting = append(l.waiting, parked{it, now})
	return true
}

// expire tells the callers that have waited for too long to ask again.
func (l *lot) expire(now time.Time) {
	for l.overdue < len(l.waiting) && now.Sub(l.waiting[l.overdue].since) >= patience {
		l.turnAway()
	}
}

// trim turns the oldest calls away, so that at most room requests wait that are
// not overdue.
func (l *lot) trim(room int) {
	for len(l.waiting)-l.overdue > room {
		l.turnAway()
	}
}

// turnAway makes the oldest that is not overdue so: a call is to ask again.
func (l *lot) turnAway() {
	p := &l.waiting[l.overdue]
	l.overdue++
	if p.act != nil && p.req.Wanted() {
		p.req.Fail(string(muster.ReasonAskAgain))
		l.used = l.used.minus(p.size())
		p.item = item{}
	}
}

// leave takes out the requests that which picks, in their order; nil picks all.
func (l *lot) leave(which func(item) bool) []item {
	var out []item
	for i := range l.waiting {
		if p := &l.waiting[i]; p.act != nil && (which == nil || which(p.item)) {
			out = append(out, p.item)
			l.used = l.used.minus(p.size())
			p.item = item{}
		}
	}
	if which == nil {
		*l = lot{}
	}
	return out
}

package manager

import (
	"time"

	"github.com/muster-fleet/muster"
)

// clock is the time of the commands: how long a reservation lasts must not
// depend on a machine's clock that is wrong or is set. So a leader goes on from
// the time at which the log ended, by a clock that is never set, and comes
// nearer to the machine's time at no more than a tenth of the pace: what lasts
// a minute lasts 54 to 67 seconds. Time without a leader does not count. It
// belongs to the goroutine that owns the state.
type clock struct {
	last time.Duration // the latest reading, since 1970
	at   time.Duration // what had passed then
}

// slew is the part of the time by which a clock may go wrong to become right.
const slew = 10

// lead begins at the time that a state has, or, where that is none, at the
// machine's.
func (c *clock) lead(last muster.Instant, at Moment) {
	if last <= 0 {
		last = at.Wall
	}
	c.last, c.at = millis(last), at.Passed
}

func (c *clock) now(at Moment) muster.Instant {
	if c.last == 0 {
		c.lead(0, at)
	}
	d := at.Passed - c.at
	c.last += d
	c.last += min(max(millis(at.Wall)-c.last, -d/slew), d/slew)
	c.at = at.Passed
	return muster.Instant(c.last.Milliseconds())
}

func millis(i muster.Instant) time.Duration { return time.Duration(i) * time.Millisecond }

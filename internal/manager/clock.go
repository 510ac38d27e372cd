package manager

import (
	"time"

	"github.com/muster-fleet/muster"
)

// clock is the time of the commands: how long a reservation lasts must not
// depend on a machine's clock that is wrong or is set. So a leader goes on from
// the time at which the log ended, by a clock that nobody sets, and comes
// nearer to the machine's time at no more than a tenth of the pace: what lasts
// a minute lasts 54 to 67 seconds. Time without a leader does not count. It
// belongs to the goroutine that owns the state.
type clock struct {
	wall   func() muster.Instant // the machine's time
	passed func() time.Duration  // since some beginning; nobody sets it

	last time.Duration // the time that was told last, since 1970
	at   time.Duration // what had passed then
}

// slew is the part of the time by which a clock may go wrong to become right.
const slew = 10

func newClock() *clock {
	began := time.Now()
	return &clock{
		wall:   func() muster.Instant { return muster.InstantOf(time.Now()) },
		passed: func() time.Duration { return time.Since(began) },
	}
}

// lead begins at the time that a state has, or, where that is none, at the
// machine's.
func (c *clock) lead(last muster.Instant) {
	if last <= 0 {
		last = c.wall()
	}
	c.last, c.at = millis(last), c.passed()
}

func (c *clock) now() muster.Instant {
	if c.last == 0 {
		c.lead(0)
	}
	at := c.passed()
	d := at - c.at
	c.last += d
	c.last += min(max(millis(c.wall())-c.last, -d/slew), d/slew)
	c.at = at
	return muster.Instant(c.last.Milliseconds())
}

func millis(i muster.Instant) time.Duration { return time.Duration(i) * time.Millisecond }

// keepTime makes a clock that of the commands.
func (c *core) keepTime(by *clock) { c.clock, c.now = by, by.now }

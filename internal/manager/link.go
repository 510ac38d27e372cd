package manager

import (
	"sync/atomic"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

// linkState is what a look at the link found.
type linkState int

const (
	linkUp   linkState = iota
	linkDown           // no worker can be heard now
	linkBack           // it was down since the last look
)

// link remembers how the connection to the bus stands. While it is down,
// blocked or stale no worker can be heard, so that silence means nothing.
type link struct {
	usable atomic.Bool // the connection is there and the broker takes messages
	stale  atomic.Bool // the broker does not carry messages: see queueProbe
	down   atomic.Bool // down since the last look that found it up again
	// losses is how often it went down, or was found so.
	losses atomic.Int64
}

func (l *link) set(s bus.Status) {
	l.usable.Store(s.Usable())
	if !s.Usable() {
		l.lose()
	}
}

// setStale reports whether that is a change.
func (l *link) setStale(stale bool) bool {
	if l.stale.Swap(stale) == stale {
		return false
	}
	if stale {
		l.lose()
	}
	return true
}

func (l *link) lose() {
	l.down.Store(true)
	l.losses.Add(1)
}

func (l *link) up() bool { return l.usable.Load() && !l.stale.Load() }

func (l *link) look() linkState {
	switch {
	case !l.up():
		return linkDown
	case l.down.Swap(false):
		return linkBack
	}
	return linkUp
}

// connection takes a change of the connection to the bus, on any goroutine.
func (c *core) connection(s bus.Status) {
	c.link.set(s)
	if s.Usable() {
		c.log.Info("connected to the message queue")
	} else {
		c.measures.losses.Inc()
		c.log.Warn("eviction suspended: message queue unreachable", "err", s.Err)
	}
}

// check counts the silence of the workers, unless none could be heard.
func (c *core) check() {
	if c.role.Kind != replica.Candidate {
		c.departures.record(c.replica.State())
	}
	c.probeQueue()
	switch c.link.look() {
	case linkDown:
	case linkBack:
		c.alive.Reset()
		c.logEvictions(c.evictions())
	case linkUp:
		c.countSilence()
	}
}

// probeQueue checks whether the queue carries messages.
func (c *core) probeQueue() {
	switch {
	case c.probe == nil:
		return
	case !c.link.usable.Load():
		c.probe.forget()
		c.link.setStale(false)
		return
	}
	found := c.probe.next(c.leads(), c.opts.CheckAliveInterval)
	if !c.link.setStale(found != probesCarried) {
		return
	}
	switch found {
	case probesCarried:
		c.log.Info("message queue delivers again")
	case noticesLate:
		c.measures.losses.Inc()
		c.log.Warn("eviction suspended: message queue does not deliver this manager's own probes")
	case requestsLate:
		c.measures.losses.Inc()
		c.log.Warn("eviction suspended: requests wait in the message queue, and signs of life among them")
	}
}

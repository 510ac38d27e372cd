package manager

import (
	"sync/atomic"

	"github.com/muster-fleet/muster/bus"
)

// linkState is what a look at the link found.
type linkState int

const (
	linkUp   linkState = iota
	linkDown           // nobody can be heard now
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

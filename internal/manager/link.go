package manager

import "sync/atomic"

// linkState is what a look at the link found.
type linkState int

const (
	linkUp   linkState = iota
	linkDown           // nobody can be heard now
	linkBack           // it was down since the last look
)

// link remembers how the connection to the bus stands. While it is down no
// worker can be heard, so that silence means nothing.
type link struct {
	up   atomic.Bool
	down atomic.Bool // down since the last look that found it up again
	// losses is how often it went down, or was found so.
	losses atomic.Int64
}

func (l *link) set(up bool) {
	l.up.Store(up)
	if !up {
		l.down.Store(true)
		l.losses.Add(1)
	}
}

func (l *link) look() linkState {
	switch {
	case !l.up.Load():
		return linkDown
	case l.down.Swap(false):
		return linkBack
	}
	return linkUp
}

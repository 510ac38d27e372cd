package amqpbus

import (
	"math/rand/v2"
	"time"
)

const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// backoff waits before each attempt: 50 ms, then twice as long each time up to
// 1 s, each between half and the whole of it, so that many who lost the same
// broker do not come back in step.
type backoff struct{ attempts int }

// wait returns false if one of the channels was closed first; they may be nil.
func (b *backoff) wait(done, orDone <-chan struct{}) bool {
	t := time.NewTimer(b.next(rand.Float64()))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	case <-orDone:
		return false
	}
}

// due reports whether the failure of this attempt belongs in the log: that of
// the 1st, 2nd, 4th, 8th and so on does.
func (b *backoff) due() bool { return b.attempts&(b.attempts-1) == 0 }

// next counts an attempt and returns the pause before it; part is in [0, 1).
func (b *backoff) next(part float64) time.Duration {
	pause := min(lastPause, firstPause<<min(b.attempts, 10))
	b.attempts++
	return pause/2 + time.Duration(part*float64(pause/2))
}

// Package liveness tells who is alive. It has no clock: ticks come from outside,
// so that a test, or a simulation, can make time pass as it likes.
package liveness

import "slices"

// Liveness counts, for each worker, the ticks since it was last heard of, and
// names those that were silent for too long. It is OWT's rule: at every tick
// each count rises by one, being heard sets it to 0, and a count past the
// limit means that the worker is lost.
//
// Beyond OWT: where too many are silent at once, the fault is more likely with
// what they would be heard through, and nobody is given up. After such a time
// the workers are checked again, slowly: see Reset.
//
// Its zero value is not usable; see NewLiveness. It is not safe for use by
// several goroutines.
type Liveness struct {
	limit  int
	share  float64
	pace   float64
	absent map[string]int
	held   int
	// recheck is how many ticks the re-check lasts at least; it goes on while
	// workers wait to be given up.
	recheck int
	waiting int
}

// FewSilent is how many workers may be given up at once whatever their share.
const FewSilent = 10

// DefaultPace is the share of the workers that a re-check gives up at a tick.
const DefaultPace = 0.05

// NewLiveness returns a Liveness that bears limit ticks of silence. Where more
// than FewSilent workers, and more than share of all of them, are past the
// limit at the same tick, none of them is lost.
func NewLiveness(limit int, share float64) *Liveness {
	return &Liveness{limit: limit, share: share, pace: DefaultPace, absent: make(map[string]int)}
}

// SetLimit changes what NewLiveness set.
func (l *Liveness) SetLimit(limit int, share float64) { l.limit, l.share = limit, share }

// SetPace sets the share of the workers that may be lost at one tick of a
// re-check, one worker at least; 1 means any number.
func (l *Liveness) SetPace(share float64) { l.pace = share }

// Held is how many workers the last tick did not give up because they were
// too many.
func (l *Liveness) Held() int { return l.held }

// Rechecking tells that a re-check goes on.
func (l *Liveness) Rechecking() bool { return l.recheck > 0 || l.waiting > 0 }

// Waiting is how many workers a re-check has yet to give up.
func (l *Liveness) Waiting() int { return l.waiting }

// Heard tells that the worker is alive, and makes it known where it was not.
func (l *Liveness) Heard(worker string) { l.absent[worker] = 0 }

// Forget tells that the worker is no longer of interest.
func (l *Liveness) Forget(worker string) { delete(l.absent, worker) }

// Absent returns how many ticks ago the worker was last heard of: 0 for one
// that was heard since the last tick, or that is not known.
func (l *Liveness) Absent(worker string) int { return l.absent[worker] }

// Tick lets one interval pass. It returns the workers that are lost by it, in
// the order of their names, and forgets them.
func (l *Liveness) Tick() (lost []string) {
	silent := l.count()
	wereHeld := l.held > 0
	l.held = 0
	switch {
	case l.tooMany(len(silent)):
		l.held = len(silent)
		return nil
	case wereHeld:
		l.Reset() // the others may be heard a little later
		return nil
	}
	slices.Sort(silent)
	lost = silent[:l.allowed(len(silent))]
	for _, worker := range lost {
		delete(l.absent, worker)
	}
	return lost
}

// count adds a tick to each worker's silence, and returns those that are past
// the limit.
func (l *Liveness) count() (silent []string) {
	for worker, n := range l.absent {
		l.absent[worker] = min(n, l.limit) + 1
		if n >= l.limit {
			silent = append(silent, worker)
		}
	}
	return silent
}

func (l *Liveness) tooMany(n int) bool {
	return n > FewSilent && float64(n) > l.share*float64(len(l.absent))
}

// allowed is how many of the silent workers are given up now.
func (l *Liveness) allowed(silent int) int {
	if !l.Rechecking() {
		return silent
	}
	n := min(silent, max(1, int(l.pace*float64(len(l.absent)))))
	l.recheck, l.waiting = max(l.recheck-1, 0), silent-n
	return n
}

// Reset gives every worker a fresh allowance, as after a time in which none of
// them could be heard. Those that stay silent are then given up a few at each
// tick, so that an alarm that is false after all can be noticed while it has
// done little.
func (l *Liveness) Reset() {
	for worker := range l.absent {
		l.absent[worker] = 0
	}
	l.recheck, l.waiting = l.limit+2, 0
}

// Package liveness decides which workers are alive. It has no clock: the caller
// provides the ticks, so that a test or a simulation controls the time.
package liveness

import "slices"

// Liveness counts, for each worker, the ticks since it was last heard, and reports
// those that were silent for too long. It implements OWT's rule: every tick raises
// each count by one, hearing a worker sets its count to 0, and a worker whose count
// exceeds the limit is lost.
//
// Beyond OWT: if too many workers are silent at once, the message queue is more
// likely to have failed than all of them, and none is lost. After such a time the
// workers are checked again at a limited pace: see Reset.
//
// The zero value is not usable; see NewLiveness. It is not safe for concurrent use.
type Liveness struct {
	limit  int
	share  float64
	pace   float64
	absent map[string]int
	held   int
	// recheck is how many more ticks the re-check lasts at least; it continues while
	// workers are waiting to be reported as lost.
	recheck int
	waiting int
}

// FewSilent is how many workers may be lost at once whatever their share.
const FewSilent = 10

// DefaultPace is the share of the workers that may be lost at one tick of a
// re-check.
const DefaultPace = 0.05

// NewLiveness returns a Liveness that tolerates limit ticks of silence. If more
// than FewSilent workers, and more than share of all of them, exceed the limit at
// the same tick, none of them is lost.
func NewLiveness(limit int, share float64) *Liveness {
	return &Liveness{limit: limit, share: share, pace: DefaultPace, absent: make(map[string]int)}
}

// SetLimit changes what NewLiveness set.
func (l *Liveness) SetLimit(limit int, share float64) { l.limit, l.share = limit, share }

// SetPace sets the share of the workers that may be lost at one tick of a
// re-check, one worker at least; 1 means any number.
func (l *Liveness) SetPace(share float64) { l.pace = share }

// Held returns how many workers the last tick did not report as lost because there
// were too many.
func (l *Liveness) Held() int { return l.held }

// Rechecking reports whether a re-check is in progress.
func (l *Liveness) Rechecking() bool { return l.recheck > 0 || l.waiting > 0 }

// Waiting returns how many silent workers a re-check has not reported as lost yet.
func (l *Liveness) Waiting() int { return l.waiting }

// Heard records that the worker is alive, and adds it if it is new.
func (l *Liveness) Heard(worker string) { l.absent[worker] = 0 }

// Forget removes the worker.
func (l *Liveness) Forget(worker string) { delete(l.absent, worker) }

// Absent returns how many ticks ago the worker was last heard: 0 for one that was
// heard since the last tick, or that is not known.
func (l *Liveness) Absent(worker string) int { return l.absent[worker] }

// Tick advances by one interval. It removes the workers that are lost now and
// returns them, sorted by name.
func (l *Liveness) Tick() (lost []string) {
	silent := l.count()
	wereHeld := l.held > 0
	l.held = 0
	switch {
	case l.tooMany(len(silent)):
		l.held = len(silent)
		return nil
	case wereHeld:
		l.Reset() // the others may still be heard
		return nil
	}
	slices.Sort(silent)
	lost = silent[:l.allowed(len(silent))]
	for _, worker := range lost {
		delete(l.absent, worker)
	}
	return lost
}

// count adds a tick to each worker's silence, and returns the workers that exceed
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

// allowed returns how many of the silent workers may be lost now.
func (l *Liveness) allowed(silent int) int {
	if !l.Rechecking() {
		return silent
	}
	n := min(silent, max(1, int(l.pace*float64(len(l.absent)))))
	l.recheck, l.waiting = max(l.recheck-1, 0), silent-n
	return n
}

// Reset restarts the count of every worker, as after a time in which none of them
// could be heard. Workers that stay silent are then lost a few at a time, so that a
// false alarm is noticed before it has done much harm.
func (l *Liveness) Reset() {
	for worker := range l.absent {
		l.absent[worker] = 0
	}
	l.recheck, l.waiting = l.limit+2, 0
}

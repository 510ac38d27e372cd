// Package member tells who is alive. It has no clock: ticks come from outside,
// so that a test, or a simulation, can make time pass as it likes.
package member

import "slices"

// Liveness counts, for each worker, the ticks since it was last heard of, and
// names those that were silent for too long. It is OWT's rule: at every tick
// each count rises by one, being heard sets it to 0, and a count past the
// limit means that the worker is lost.
//
// Beyond OWT: where too many are silent at once, the fault is more likely with
// what they would be heard through, and nobody is given up.
//
// Its zero value is not usable; see NewLiveness. It is not safe for use by
// several goroutines.
type Liveness struct {
	limit  int
	share  float64
	absent map[string]int
	held   int
}

// FewSilent is how many workers may be given up at once whatever their share.
const FewSilent = 10

// NewLiveness returns a Liveness that bears limit ticks of silence. Where more
// than FewSilent workers, and more than share of all of them, are past the
// limit at the same tick, none of them is lost.
func NewLiveness(limit int, share float64) *Liveness {
	return &Liveness{limit: limit, share: share, absent: make(map[string]int)}
}

// SetLimit changes what NewLiveness set.
func (l *Liveness) SetLimit(limit int, share float64) { l.limit, l.share = limit, share }

// Held is how many workers the last tick did not give up because they were
// too many.
func (l *Liveness) Held() int { return l.held }

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
	for worker, n := range l.absent {
		l.absent[worker] = min(n, l.limit) + 1
		if n >= l.limit {
			lost = append(lost, worker)
		}
	}
	l.held = 0
	if n := len(lost); n > FewSilent && float64(n) > l.share*float64(len(l.absent)) {
		l.held = n
		return nil
	}
	for _, worker := range lost {
		delete(l.absent, worker)
	}
	slices.Sort(lost)
	return lost
}

// Reset gives every worker a fresh allowance, as after a time in which none of
// them could be heard.
func (l *Liveness) Reset() {
	for worker := range l.absent {
		l.absent[worker] = 0
	}
}

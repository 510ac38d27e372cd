// Package member tells who is alive. It has no clock: ticks come from outside,
// so that a test, or a simulation, can make time pass as it likes.
package member

import "slices"

// Liveness counts, for each worker, the ticks since it was last heard of, and
// names those that were silent for too long. It is OWT's rule: at every tick
// each count rises by one, being heard sets it to 0, and a count past the
// limit means that the worker is lost.
//
// Its zero value is not usable; see NewLiveness. It is not safe for use by
// several goroutines.
type Liveness struct {
	limit  int
	absent map[string]int
}

// NewLiveness returns a Liveness that bears limit ticks of silence.
func NewLiveness(limit int) *Liveness {
	return &Liveness{limit: limit, absent: make(map[string]int)}
}

// SetLimit changes how many ticks of silence are borne.
func (l *Liveness) SetLimit(limit int) { l.limit = limit }

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
		if n+1 > l.limit {
			lost = append(lost, worker)
			continue
		}
		l.absent[worker] = n + 1
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

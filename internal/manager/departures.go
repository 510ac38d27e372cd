package manager

import (
	"cmp"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// departureMemory is for how many counts a worker that is gone is remembered.
const departureMemory = 10

// rollCall remembers which workers were in the state lately. A leader that died
// after a worker's loss was decided may have told nobody: the next one tells
// that those are gone that it remembers and does not find.
type departures struct {
	counts int
	seen   map[string]sighting // by worker
}

type sighting struct {
	purpose string
	count   int // the last that found the worker there
}

// count looks who is there.
func (d *departures) record(s *state.State) {
	if d.seen == nil {
		d.seen = map[string]sighting{}
	}
	d.counts++
	for _, worker := range s.Workers(state.AllPurposes) {
		if purpose, ok := s.PurposeOf(worker); ok {
			d.seen[worker] = sighting{purpose, d.counts}
		}
	}
	for worker, a := range d.seen {
		if a.count < d.counts-departureMemory {
			delete(d.seen, worker)
		}
	}
}

// told forgets a worker of which was told that it is gone.
func (d *departures) announced(worker string) { delete(d.seen, worker) }

// gone returns those that are not there any more, and forgets them.
func (d *departures) unannounced(s *state.State) (left []muster.WorkerLeft) {
	for worker, a := range d.seen {
		if !s.Has(worker) {
			left = append(left, muster.WorkerLeft{Worker: worker, Purpose: a.purpose, Reason: muster.LeftLost})
			delete(d.seen, worker)
		}
	}
	slices.SortFunc(left, func(a, b muster.WorkerLeft) int { return cmp.Compare(a.Worker, b.Worker) })
	return left
}

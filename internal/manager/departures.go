package manager

import (
	"cmp"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// departureMemory is for how many records a departed worker is remembered.
const departureMemory = 10

// departures remembers which workers were in the state recently. A leader may die
// after a worker's removal is decided and before it is published. The next leader
// publishes the departure of those that it remembers and does not find.
type departures struct {
	counts int
	seen   map[string]sighting // by worker
}

type sighting struct {
	purpose string
	count   int // the last one with the worker in the state
}

// record notes which workers are in the state.
func (d *departures) record(s *state.State) {
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

// announced forgets a worker whose departure was published.
func (d *departures) announced(worker string) { delete(d.seen, worker) }

// unannounced returns the remembered workers that left the state, and forgets them.
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

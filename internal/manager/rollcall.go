package manager

import (
	"cmp"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// rollCallMemory is for how many counts a worker that is gone is remembered.
const rollCallMemory = 10

// rollCall remembers which workers were in the state lately. A leader that died
// after a worker's loss was decided may have told nobody: the next one tells
// that those are gone that it remembers and does not find.
type rollCall struct {
	counts int
	seen   map[string]attendance // by worker
}

type attendance struct {
	purpose string
	count   int // the last that found the worker there
}

// count looks who is there.
func (r *rollCall) count(s *state.State) {
	if r.seen == nil {
		r.seen = map[string]attendance{}
	}
	r.counts++
	for _, worker := range s.Workers(state.AllPurposes) {
		if purpose, ok := s.PurposeOf(worker); ok {
			r.seen[worker] = attendance{purpose, r.counts}
		}
	}
	for worker, a := range r.seen {
		if a.count < r.counts-rollCallMemory {
			delete(r.seen, worker)
		}
	}
}

// told forgets a worker of which was told that it is gone.
func (r *rollCall) told(worker string) { delete(r.seen, worker) }

// gone returns those that are not there any more, and forgets them.
func (r *rollCall) gone(s *state.State) (left []muster.WorkerLeft) {
	for worker, a := range r.seen {
		if !s.Has(worker) {
			left = append(left, muster.WorkerLeft{Worker: worker, Purpose: a.purpose, Reason: muster.LeftLost})
			delete(r.seen, worker)
		}
	}
	slices.SortFunc(left, func(a, b muster.WorkerLeft) int { return cmp.Compare(a.Worker, b.Worker) })
	return left
}

package state

import (
	"errors"
	"fmt"
	"math"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
)

// reportLoad is the operation ReportLoad. A load that is refused leaves the
// others of the batch alone; so does a worker that is unknown.
func (s *State) reportLoad(op ReportLoad) error {
	var refused []error
	for _, r := range op.Loads {
		switch {
		case s.workers[r.Worker] == nil:
		case !(r.Load >= 0) || math.IsInf(r.Load, 0):
			refused = append(refused, fmt.Errorf("load %v of worker %s: use a number from 0 to 1", r.Load, r.Worker))
		default:
			s.do(muster.WorkerLoadChanged{Worker: r.Worker, Load: r.Load})
		}
	}
	return errors.Join(refused...)
}

// TellsLoad reports whether a report of that load would change anything: the load
// itself, or the debits of tasks that came or went since the last report. It is
// false for a worker that is unknown.
func (s *State) TellsLoad(worker string, load float64) bool {
	w := s.workers[worker]
	return w != nil && (!w.Reported() || w.Load() != load || w.ended || w.running.last != nil && w.running.last.fresh)
}

// foldLoad takes a worker's load. What the worker picked up since its last
// report is in the new figure: the debits of those tasks are settled, and what
// they really added is learned.
func (s *State) foldLoad(e muster.WorkerLoadChanged) {
	w := s.workers[e.Worker]
	if w == nil {
		return
	}
	old, known := w.Measured(), w.Reported() && !w.ended
	fresh, settled := w.settle()
	w.ended = false
	w.Report(e.Load, settled)
	if known && fresh > 0 && s.debitInForce().Mode == DebitLearned {
		w.purpose.cost.Observe((w.Measured()-old)/fresh, s.floor)
		s.trust(w.purpose)
	}
}

// settle takes the debits off the tasks that were picked up since the last
// report. It returns how many these are, and the debits' sum.
func (w *worker) settle() (fresh, settled sched.Units) {
	if w.running.last != nil && w.running.last.fresh {
		w.keep()
	}
	for t := w.running.last; t != nil && t.fresh; t = t.prev {
		fresh++
		settled += t.debit
		t.fresh, t.debit = false, 0
	}
	return fresh, settled
}

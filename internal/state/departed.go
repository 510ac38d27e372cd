package state

import "github.com/muster-fleet/muster"

// maxDeparted is how many workers that left are remembered.
const maxDeparted = 256

// departed is a worker that left.
type departed struct {
	worker string
	muster.Departure
}

// depart remembers a worker that left. The oldest one goes.
func (s *State) depart(worker string, why muster.LeaveReason) {
	if len(s.departed) == maxDeparted {
		s.departed = append(s.departed[:0], s.departed[1:]...)
	}
	s.departed = append(s.departed, departed{worker, muster.Departure{At: s.now, Reason: why}})
}

// Departed returns when and why a worker left that is not in the cluster, if it
// was one of the last 256 that did.
func (s *State) Departed(worker string) (muster.Departure, bool) {
	if s.workers[worker] != nil {
		return muster.Departure{}, false
	}
	for i := len(s.departed) - 1; i >= 0; i-- {
		if d := s.departed[i]; d.worker == worker {
			return d.Departure, true
		}
	}
	return muster.Departure{}, false
}

func (w writer) departed(list []departed) {
	w.Uint(uint64(len(list)))
	for _, d := range list {
		w.Text(d.worker)
		w.Int(int64(d.At))
		w.Text(string(d.Reason))
	}
}

func (r reader) departed(s *State) {
	for n := r.Count(); n > 0 && !r.Bad(); n-- {
		s.departed = append(s.departed, departed{r.Text(), muster.Departure{At: r.past(s), Reason: muster.LeaveReason(r.Text())}})
	}
	r.Check(len(s.departed) <= maxDeparted)
}

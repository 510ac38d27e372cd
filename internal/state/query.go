package state

import (
	"cmp"
	"maps"
	"slices"

	"github.com/muster-fleet/muster"
)

// Task is a task that is on a worker.
type Task struct {
	Purpose string `json:"purpose"`
	Task    string `json:"task"`
	Worker  string `json:"worker"`
	// Running reports that the worker picked the task up. Until is the end of
	// its reservation otherwise.
	Running bool           `json:"running"`
	Until   muster.Instant `json:"until,omitempty"`
	// Placement is the number of its placement, 0 where that is not known.
	Placement uint64 `json:"placement,omitempty"`
}

// Count is a purpose in figures.
type Count struct {
	Purpose  string          `json:"purpose"`
	Strategy muster.Strategy `json:"strategy"`
	// Workers is how many workers there are, Ready how many of them reported a
	// load and may take tasks as far as they say, Full how many of the ready ones
	// are at the limit of their load or of their tasks.
	Workers int `json:"workers"`
	Ready   int `json:"ready"`
	Full    int `json:"full"`
	// Draining and Cordoned are the workers that an operator keeps new tasks
	// from; they are not among the Ready ones.
	Draining int `json:"draining,omitempty"`
	Cordoned int `json:"cordoned,omitempty"`
	// Reserved and Running are how many tasks are.
	Reserved int `json:"reserved"`
	Running  int `json:"running"`
	// Debit is the load that the next placement adds to its worker.
	Debit float64 `json:"debit"`
}

// AllPurposes is the purpose that Workers takes for every one.
const AllPurposes = "all"

// Config returns what is in force. It must not be changed.
func (s *State) Config() Config { return s.cfg }

// Now is the latest time of any command so far.
func (s *State) Now() muster.Instant { return s.now }

// Has reports whether the worker is in the cluster.
func (s *State) Has(id string) bool { return s.workers[id] != nil }

// Offers reports whether any worker of the purpose is in the cluster.
func (s *State) Offers(purpose string) bool {
	p := s.purposes[purpose]
	return p != nil && p.pool.Tally().Workers > 0
}

// PurposeOf returns the purpose that the worker joined with.
func (s *State) PurposeOf(id string) (string, bool) {
	if w := s.workers[id]; w != nil {
		return w.purpose.name, true
	}
	return "", false
}

// Worker returns all that is known of the worker.
func (s *State) Worker(id string) (muster.Worker, bool) {
	w := s.workers[id]
	if w == nil {
		return muster.Worker{}, false
	}
	return muster.Worker{
		ID: id, Purpose: w.purpose.name, State: w.State(), Load: w.Load(), NoLoad: !w.Reported(), Debit: w.Debit().Float(),
		Tasks: w.running.names(), Reserved: w.reserved.names(), Info: *w.Info(),
		Drain: w.drainID(), Cordoned: w.IsCordoned(),
	}, true
}

// Workers returns the workers of the purpose in the order in which they joined,
// or with AllPurposes every worker in that order; none for a purpose that is
// unknown.
func (s *State) Workers(purpose string) []string {
	ids := []string{}
	if purpose == AllPurposes {
		for _, w := range s.joinOrder() {
			ids = append(ids, w.ID)
		}
		return ids
	}
	if p := s.purposes[purpose]; p != nil {
		for w := range p.pool.All() {
			ids = append(ids, w.ID)
		}
	}
	return ids
}

// joinOrder returns every worker in the order in which they joined.
func (s *State) joinOrder() []*worker {
	return slices.SortedFunc(maps.Values(s.workers), func(a, b *worker) int {
		return cmp.Compare(a.joined, b.joined)
	})
}

// Tasks returns the tasks that the worker runs, in the order in which it picked
// them up.
func (s *State) Tasks(id string) ([]string, bool) {
	w := s.workers[id]
	if w == nil {
		return nil, false
	}
	return w.running.names(), true
}

// Claims returns the numbers by which the worker runs Tasks: of its claims, or
// of the placements where it did not claim.
func (s *State) Claims(id string) []uint64 {
	w := s.workers[id]
	if w == nil {
		return nil
	}
	numbers := make([]uint64, 0, w.running.n)
	for t := w.running.first; t != nil; t = t.next {
		numbers = append(numbers, cmp.Or(t.claim, t.placement))
	}
	return numbers
}

// Scheduled returns the worker on which the task is, reserved or running. The
// error is muster.ReasonInvalidPurpose or muster.ReasonNoTask.
func (s *State) Scheduled(purpose, task string) (string, error) {
	p := s.purposes[purpose]
	if p == nil {
		return "", muster.ReasonInvalidPurpose
	}
	t := s.find(p, task)
	if t == nil {
		return "", muster.ReasonNoTask
	}
	return t.worker.ID, nil
}

// purposeNames returns the purposes in alphabetical order.
func (s *State) purposeNames() []string { return slices.Sorted(maps.Keys(s.purposes)) }

// AllTasks returns the tasks of the purpose, or with "" of all: by purpose, then
// by worker in join order, those that run first.
func (s *State) AllTasks(purpose string) []Task {
	all := []Task{}
	for _, name := range s.purposeNames() {
		if purpose == "" || purpose == name {
			for w := range s.purposes[name].pool.All() {
				all = w.Owner.(*worker).appendTasks(all)
			}
		}
	}
	return all
}

func (w *worker) appendTasks(all []Task) []Task {
	for _, tasks := range []*list{&w.running, &w.reserved} {
		for t := tasks.first; t != nil; t = t.next {
			all = append(all, Task{w.purpose.name, t.name, w.ID, t.running, t.until(), t.placement})
		}
	}
	return all
}

// Counts returns each purpose in figures, by name.
func (s *State) Counts() []Count {
	counts := []Count{}
	for _, name := range s.purposeNames() {
		p := s.purposes[name]
		n := p.pool.Tally()
		counts = append(counts, Count{
			Purpose: name, Strategy: p.pool.Strategy(),
			Workers: n.Workers, Ready: n.Workers - n.Draining - n.Cordoned - n.NotReady, Full: n.Full + n.NoSlots,
			Draining: n.Draining, Cordoned: n.Cordoned,
			Reserved: p.reserved, Running: p.running, Debit: s.debit(p).Float(),
		})
	}
	return counts
}

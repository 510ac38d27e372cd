package state

import (
	"math"

	"github.com/muster-fleet/muster"
)

// Drains returns the drains, those in force and those that ended lately, in the
// order of their numbers, without their members.
func (s *State) Drains() []muster.Drain {
	drains := make([]muster.Drain, 0, len(s.drains))
	for _, d := range s.drains {
		drains = append(drains, *s.viewDrain(d, false))
	}
	return drains
}

// maxMembers is how many members an answer names: it must fit into a message.
const maxMembers = 1000

// DrainByID returns one drain with its members, at most the first 1,000.
func (s *State) DrainByID(id uint64) (muster.Drain, bool) {
	d := s.drain(id)
	if d == nil {
		return muster.Drain{}, false
	}
	return *s.viewDrain(d, true), true
}

// DrainTask is a task on a worker that is drained.
type DrainTask struct{ Purpose, Task, Worker string }

// DrainTasks returns the tasks that are left in a drain.
func (s *State) DrainTasks(id uint64) []DrainTask {
	var tasks []DrainTask
	d := s.drain(id)
	if d == nil {
		return nil
	}
	for _, w := range s.drained(d) {
		for _, list := range []*list{&w.running, &w.reserved} {
			for t := list.first; t != nil; t = t.next {
				tasks = append(tasks, DrainTask{w.purpose.name, t.name, w.ID})
			}
		}
	}
	return tasks
}

// DrainingWorker is a worker in a drain that is in force.
type DrainingWorker struct {
	ID, Incarnation string
	// Reserved is how many of its tasks were not picked up yet.
	Reserved int
	// End reports that agents are to end their tasks.
	End bool
}

// DrainingWorkers returns the workers of every drain in force.
func (s *State) DrainingWorkers() []DrainingWorker {
	var out []DrainingWorker
	for _, d := range s.drains {
		end := d.overdue && d.order.Policy == muster.DrainEnd
		for _, w := range s.drained(d) {
			out = append(out, DrainingWorker{ID: w.ID, Incarnation: w.incarnation, Reserved: w.reserved.n, End: end})
		}
	}
	return out
}

// IsDraining reports whether the worker is in a drain.
func (s *State) IsDraining(worker string) bool {
	w := s.workers[worker]
	return w != nil && w.drain != nil
}

// drained returns the workers of a drain that are there.
func (s *State) drained(d *drain) []*worker {
	var workers []*worker
	for _, m := range d.members {
		if w := s.workers[m.worker]; w != nil && w.drain == d {
			workers = append(workers, w)
		}
	}
	return workers
}

// viewDrain is what a drain shows of itself.
func (s *State) viewDrain(d *drain, members bool) *muster.Drain {
	v := &muster.Drain{
		ID: d.id, Selector: d.order.Selector, Sticky: d.order.Sticky, Policy: d.order.Policy, Forced: d.order.Force, By: d.order.By,
		State: d.state, Since: d.since, Deadline: d.deadline, Overdue: d.overdue, Emptied: d.emptied, Ended: d.ended,
		Left: d.remaining, Total: d.total, Lost: d.lost, Workers: d.workers,
	}
	for _, m := range d.members {
		if m.off {
			continue
		}
		x := muster.DrainedWorker{ID: m.worker, Purpose: m.purpose, Total: m.total, Gone: m.gone}
		if w := s.workers[m.worker]; w != nil && w.drain == d {
			x.Running, x.Reserved = w.running.n, w.reserved.n
		}
		v.Workers++
		v.Left, v.Total = v.Left+x.Running+x.Reserved, v.Total+m.total
		if members && len(v.Members) < maxMembers {
			v.Members = append(v.Members, x)
		}
	}
	if d.active() {
		v.EstimateMillis = s.estimate(d)
		if v.Left == 0 {
			v.State = muster.DrainEmpty
		}
	}
	return v
}

// estimate is in how many milliseconds a drain is probably empty: the time by
// which all tasks that are left have ended with a chance of one half, each
// lasting as those of its purpose did. -1 means that this is not known.
func (s *State) estimate(d *drain) int64 {
	n := s.left(d)
	if n == 0 {
		return 0
	}
	share := math.Pow(0.5, 1/float64(n))
	longest := int64(0)
	for _, w := range s.drained(d) {
		for t := w.running.first; t != nil; t = t.next {
			rest := w.purpose.lasts.rest(int64(s.now-t.at), share)
			if rest < 0 {
				return -1
			}
			longest = max(longest, rest)
		}
		for t := w.reserved.first; t != nil; t = t.next {
			longest = max(longest, int64(t.at-s.now))
		}
	}
	return longest
}

// heldText says which of the workers are drained or cordoned already.
func (s *State) heldText(workers []*worker) string {
	draining, held := 0, 0
	for _, w := range workers {
		if w.IsDraining() {
			draining++
		}
		if w.IsCordoned() {
			held++
		}
	}
	return heldCounts(len(workers), draining, held)
}

func (s *State) activeDrains() int {
	n := 0
	for _, d := range s.drains {
		if d.active() {
			n++
		}
	}
	return n
}

// ActiveDrains returns how many drains are in force, and how many tasks are left
// in them.
func (s *State) ActiveDrains() (drains, left int) {
	for _, d := range s.drains {
		if d.active() {
			left += s.left(d)
		}
	}
	return s.activeDrains(), left
}

// OverdueDrains returns the numbers of the drains whose deadline has passed with
// tasks left, and whose policy is not to wait.
func (s *State) OverdueDrains() []uint64 {
	var ids []uint64
	for _, d := range s.drains {
		if d.active() && d.overdue && d.order.Policy != muster.DrainWait && s.left(d) > 0 {
			ids = append(ids, d.id)
		}
	}
	return ids
}

// drainID is the number of the drain that the worker is in, 0 for none.
func (w *worker) drainID() uint64 {
	if w.drain == nil {
		return 0
	}
	return w.drain.id
}

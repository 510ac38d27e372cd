package state

import (
	"fmt"

	"github.com/muster-fleet/muster"
)

// pickUp is the operation PickUpTasks. It reports facts, so that it may bring a
// worker above its max_tasks with tasks that were not placed there; the
// worker is then out of slots until it is under its limit again.
func (s *State) pickUp(op PickUpTasks) error {
	w, err := s.worker(op.Worker)
	if err != nil {
		return err
	}
	for i, name := range op.Tasks {
		t := s.find(w.purpose, name)
		switch {
		case t != nil && t.worker != w:
			s.do(muster.TaskRefused{Purpose: w.purpose.name, Task: name, Worker: w.ID, Holder: t.worker.ID})
		case t == nil:
			doTask(s, muster.TaskPickedUp{Purpose: w.purpose.name, Task: name, Worker: w.ID, Placement: s.adopted(op, i)}, (*State).foldPickedUp)
		case !t.running:
			doTask(s, muster.TaskPickedUp{Purpose: w.purpose.name, Task: name, Worker: w.ID, Placement: t.placement}, (*State).foldPickedUp)
		}
	}
	return nil
}

func (s *State) foldPickedUp(e muster.TaskPickedUp) {
	w := s.workers[e.Worker]
	if w == nil {
		return
	}
	hash := s.tasks.hash(w.purpose, e.Task)
	t := s.tasks.find(hash, w.purpose, e.Task)
	switch {
	case t == nil:
		t = s.take(w, e.Task, hash, s.cfg.ReserveMillis, 0, e.Placement)
	case t.worker != w || t.running:
		return
	default:
		s.unreserve(t)
	}
	s.run(t, true)
}

// layDown is the operation LayDownTask. A worker that is drained is not held for
// the task any longer.
func (s *State) layDown(op LayDownTask) error {
	w, err := s.worker(op.Worker)
	if err != nil {
		return err
	}
	t := s.on(w, op.Task)
	if t == nil || !t.running {
		return fmt.Errorf("task %q is not run by worker %s", op.Task, op.Worker)
	}
	if !t.claimedAs(op.Placement) {
		return muster.ReasonPlacementOver
	}
	w.purpose.lasts.observe(int64(s.now - t.at))
	s.putDown(t)
	if t = s.on(w, op.Task); t != nil && w.drain != nil {
		s.release(t, muster.ReleasedDrained)
	}
	return nil
}

// putDown ends the run of a task, which is reserved again or, where its caller
// gave it up, forgotten.
func (s *State) putDown(t *task) {
	w, reserve := t.worker, t.reserve
	doTask(s, muster.TaskLaidDown{Purpose: w.purpose.name, Task: t.name, Worker: w.ID, Until: s.deadline(reserve)}, (*State).foldLaidDown)
	if reserve == 0 {
		s.release(t, muster.ReleasedUnscheduled)
	}
}

func (s *State) foldLaidDown(e muster.TaskLaidDown) {
	w := s.workers[e.Worker]
	if w == nil {
		return
	}
	if t := s.on(w, e.Task); t != nil && t.running {
		w.ended = true
		s.stop(t)
		s.reserve(t, e.Until)
	}
}

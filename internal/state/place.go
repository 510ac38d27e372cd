package state

import (
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
)

// schedule is the operation Schedule.
func (s *State) schedule(op Schedule, seed uint64) Result {
	reserve := s.reserveMillis(op.ReserveMillis)
	p := s.purposes[op.Purpose]
	if p == nil {
		return s.noScheduler(op)
	}
	hash := s.tasks.hash(p, op.Task)
	held := s.tasks.find(hash, p, op.Task)
	if held != nil && !held.worker.handsBack() {
		return s.prolong(held, reserve)
	}
	why := s.last.next()
	why.Purpose, why.Task, why.At = p.name, op.Task, s.now
	chosen, err := p.pool.Place(op.Preference, seed, why)
	switch {
	case err != nil && held != nil: // it stays where it is
		return s.prolong(held, reserve)
	case err != nil:
		return Result{Err: err, Explanation: why}
	case held != nil:
		s.release(held, muster.ReleasedDrained)
	}
	w := chosen.Owner.(*worker)
	debit := s.debit(p)
	t := s.take(w, op.Task, hash, reserve, debit, s.nextPlacement())
	s.reserve(t, s.deadline(reserve))
	note(s, t.reservedEvent())
	return Result{Worker: w.ID, Info: w.raw, Placement: t.placement, Explanation: why}
}

func (s *State) noScheduler(op Schedule) Result {
	reason := muster.ReasonNoScheduler(op.Purpose)
	why := s.last.next()
	why.Purpose, why.Task, why.At = op.Purpose, op.Task, s.now
	why.Strategy, why.Reason = s.strategy(op.Purpose), reason.Text
	why.Chosen, why.Others = nil, nil
	return Result{Err: reason, Explanation: why}
}

// prolong answers for a task that is placed already.
func (s *State) prolong(t *task, reserve int64) Result {
	s.extend(t, max(t.reserve, reserve))
	note(s, t.reservedEvent())
	return Result{Worker: t.worker.ID, Info: t.worker.raw, Placement: t.placement, Already: true}
}

// extend sets the length of a reservation, which begins now if the task is
// reserved, and when it is laid down if it runs. An end is never brought
// forward.
func (s *State) extend(t *task, reserve int64) {
	t.worker.keep()
	t.reserve = reserve
	if !t.running {
		s.wheel.remove(t)
		t.at = max(t.at, s.deadline(reserve))
		s.wheel.add(t)
	}
}

func (t *task) reservedEvent() muster.TaskReserved {
	return muster.TaskReserved{
		Purpose: t.worker.purpose.name, Task: t.name, Worker: t.worker.ID,
		ReserveMillis: t.reserve, Until: t.until(), Debit: t.debit.Float(), Placement: t.placement,
	}
}

// foldReserved repeats what schedule and unschedule did.
func (s *State) foldReserved(e muster.TaskReserved) {
	w := s.workers[e.Worker]
	if w == nil || w.purpose.name != e.Purpose {
		return
	}
	reserve := min(max(e.ReserveMillis, 0), MaxReserveMillis)
	hash := s.tasks.hash(w.purpose, e.Task)
	t := s.tasks.find(hash, w.purpose, e.Task)
	switch {
	case t == nil:
		t = s.take(w, e.Task, hash, reserve, sched.UnitsOf(min(e.Debit, MaxDebit)), e.Placement)
		s.reserve(t, e.Until)
		w.purpose.pool.Placed(&w.Worker)
	case t.worker != w: // another copy's word does not move a task
	case t.running:
		w.keep()
		t.reserve = reserve
	default:
		w.keep()
		s.wheel.remove(t)
		t.reserve, t.at = reserve, e.Until
		s.wheel.add(t)
	}
}

// unschedule is the operation Unschedule.
func (s *State) unschedule(op Unschedule) error {
	w, err := s.worker(op.Worker)
	if err != nil {
		return err
	}
	t := s.on(w, op.Task)
	switch {
	case t == nil:
		return fmt.Errorf("task %q is not on worker %s", op.Task, op.Worker)
	case !t.placedAs(op.Placement) && !t.claimedAs(op.Placement):
		return muster.ReasonPlacementOver
	case t.running:
		w.keep()
		t.reserve = 0
		note(s, t.reservedEvent())
	default:
		s.release(t, muster.ReleasedUnscheduled)
	}
	return nil
}

// release ends what holds the task on its worker. It does what do would, but has
// the task at hand, which foldReleased looks up: a third of what expiring costs.
func (s *State) release(t *task, why muster.ReleaseReason) {
	note(s, muster.TaskReleased{Purpose: t.worker.purpose.name, Task: t.name, Worker: t.worker.ID, Reason: why})
	s.forget(t)
}

func (s *State) foldReleased(e muster.TaskReleased) {
	if w := s.workers[e.Worker]; w != nil {
		if t := s.on(w, e.Task); t != nil {
			s.forget(t)
		}
	}
}

// expire is the operation Expire.
func (s *State) expire() {
	for _, t := range s.wheel.due(s.now) {
		s.release(t, muster.ReleasedExpired)
	}
}

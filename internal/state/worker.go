package state

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
)

// worker is a worker that joined.
type worker struct {
	sched.Worker
	purpose  *purpose
	joined   uint64
	gone     bool            // it has left; nameOrder may still have it
	running  list            // in pick-up order; those since the last report are fresh
	reserved list            // in the order of their reservation
	raw      json.RawMessage // Info().Raw, here because each placement answers it
	// incarnation distinguishes the process from others with the same id; see
	// Incarnation. "" where it said none.
	incarnation string
	// ended reports that a task ended here since the last report, so that the
	// next one does not say what the fresh tasks added.
	ended bool
	// drain is the drain that it is in, nil for none.
	drain *drain
	// frozen is it in the snapshot that is being written, nil once that has it.
	frozen *frozen
}

// worker finds a worker for a command.
func (s *State) worker(id string) (*worker, error) {
	if w := s.workers[id]; w != nil {
		return w, nil
	}
	return nil, muster.ReasonNoWorker(id)
}

// join is the operation Join. It reports whether the worker was there already.
func (s *State) join(op Join) (result Result) {
	w := s.workers[op.Worker]
	if w != nil && isOlder(op.Info.Raw, w) {
		return Result{Err: muster.ReasonReplaced}
	}
	if err := s.admitPurpose(op.Purpose); err != nil {
		return Result{Err: err}
	}
	if w != nil {
		incarnation := Incarnation(op.Info.Raw)
		result.Already = w.purpose.name == op.Purpose
		if !result.Already {
			s.leave(w, muster.LeftMoved)
		}
		s.putDownAll(w, incarnation)
	}
	s.do(muster.WorkerJoined{Purpose: op.Purpose, Worker: op.Worker, Info: op.Info})
	return result
}

// isOlder reports whether this is said by a process that the worker has replaced.
func isOlder(info json.RawMessage, w *worker) bool {
	incarnation := Incarnation(info)
	return w.incarnation != "" && incarnation != "" && incarnation < w.incarnation
}

// putDownAll is for a worker that joins again. What it ran is reserved for it
// until it picks that up again, save by the same process, which runs it still.
// A task that its caller gave up while it ran is held, too: it may well run.
func (s *State) putDownAll(w *worker, incarnation string) {
	same := incarnation != "" && incarnation == w.incarnation
	for w.running.first != nil && !same {
		t := w.running.first
		if t.reserve == 0 && incarnation == "" {
			s.prolong(t, s.cfg.ReserveMillis)
		}
		s.putDown(t)
	}
}

func (s *State) foldJoined(e muster.WorkerJoined) {
	info := e.Info
	if !(info.MaxLoad > 0) || math.IsInf(info.MaxLoad, 0) {
		info.MaxLoad = 1
	}
	info.MaxTasks = min(max(info.MaxTasks, 0), math.MaxInt32)
	w := s.workers[e.Worker]
	if w != nil && w.purpose.name == e.Purpose {
		w.keep()
		incarnation := Incarnation(info.Raw)
		same := incarnation != "" && incarnation == w.incarnation
		w.raw, w.incarnation = info.Raw, incarnation
		w.purpose.pool.Rejoin(&w.Worker, info, same)
		s.hold(w)
		return
	}
	if w != nil {
		s.foldLeft(muster.WorkerLeft{Worker: e.Worker, Tasks: w.running.n + w.reserved.n})
	}
	s.add(s.purpose(e.Purpose), e.Worker, info)
}

func (s *State) add(p *purpose, id string, info muster.Info) *worker {
	s.joins++
	w := &worker{purpose: p, joined: s.joins, raw: info.Raw, incarnation: Incarnation(info.Raw)}
	w.ID, w.Owner = id, w
	s.workers[id] = w
	s.order.add(w)
	p.pool.Add(&w.Worker, info)
	s.hold(w)
	return w
}

// remove is the operations Quit and WorkerLost.
func (s *State) remove(id string, why muster.LeaveReason) error {
	w, err := s.worker(id)
	if err != nil {
		return err
	}
	s.leave(w, why)
	return nil
}

func (s *State) leave(w *worker, why muster.LeaveReason) {
	tasks := w.running.n + w.reserved.n
	s.releaseAll(&w.running, muster.ReleasedWorkerLeft)
	s.releaseAll(&w.reserved, muster.ReleasedWorkerLeft)
	s.do(muster.WorkerLeft{Purpose: w.purpose.name, Worker: w.ID, Reason: why, Tasks: tasks})
}

func (s *State) releaseAll(tasks *list, why muster.ReleaseReason) {
	for tasks.first != nil {
		s.release(tasks.first, why)
	}
}

func (s *State) foldLeft(e muster.WorkerLeft) {
	w := s.workers[e.Worker]
	if w == nil {
		return
	}
	for _, tasks := range []*list{&w.running, &w.reserved} {
		for tasks.first != nil {
			s.forget(tasks.first)
		}
	}
	w.purpose.pool.Remove(&w.Worker)
	w.purpose.vacant = s.now
	s.letGo(w, e.Tasks)
	s.depart(w.ID, e.Reason)
	delete(s.workers, e.Worker)
	s.order.remove(w)
}

// reportState is the operation ReportState.
func (s *State) reportState(op ReportState) error {
	if _, err := s.worker(op.Worker); err != nil {
		return err
	}
	if op.State < muster.StateInitializing || op.State > muster.StateReady {
		return fmt.Errorf("state %d of worker %s: use 0 (initializing), 1 (not ready) or 2 (ready)", int(op.State), op.Worker)
	}
	s.do(muster.WorkerStateChanged{Worker: op.Worker, State: op.State})
	return nil
}

func (s *State) foldState(e muster.WorkerStateChanged) {
	if w := s.workers[e.Worker]; w != nil {
		w.SetState(e.State)
	}
}

package owt

import (
	"bytes"
	"slices"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// adopt changes the ledger to match another manager's runtime data. What agrees
// already is left alone, to keep what OWT does not transmit: how long a
// reservation still lasts, and what placements cost.
//
// A task on a worker that is gone, which OWT keeps until its reservation
// expires, is not adopted.
func (l *ledger) adopt(at muster.Instant, d *runtimeData) {
	purposes := map[string]string{} // of the other's workers
	for _, w := range d.workers {
		purposes[w.id] = w.purpose
	}
	if !l.sameOrder(d, purposes) {
		*l = *newLedger(l.state.Config())
	}
	l.dropWorkers(at, purposes)
	l.dropPurposes(at, d)
	for _, s := range d.schedulers {
		l.adoptPurpose(at, s.purpose)
	}
	for _, w := range d.workers {
		l.adoptWorker(at, w)
	}
	for _, s := range d.schedulers {
		l.adoptTasks(at, s, d)
	}
	for _, w := range d.workers {
		l.adoptLoad(at, w)
	}
	l.rewrite(d)
}

// sameOrder reports whether the workers that both have joined in the same order,
// and those that only the other has joined later.
func (l *ledger) sameOrder(d *runtimeData, there map[string]string) bool {
	n := 0
	for _, id := range l.state.Workers(state.AllPurposes) {
		if purpose, _ := l.state.PurposeOf(id); there[id] != purpose {
			continue
		}
		if d.workers[n].id != id {
			return false
		}
		n++
	}
	return true
}

func (l *ledger) dropWorkers(at muster.Instant, there map[string]string) {
	for _, id := range l.state.Workers(state.AllPurposes) {
		if purpose, _ := l.state.PurposeOf(id); there[id] != purpose {
			_ = l.carryOut(at, state.Quit{Worker: id}) // it is there
		}
	}
}

// dropPurposes forgets the purposes that the other does not know. They have no
// workers left.
func (l *ledger) dropPurposes(at muster.Instant, d *runtimeData) {
	for _, name := range slices.Clone(l.purposes) {
		if !slices.ContainsFunc(d.schedulers, func(s schedulerData) bool { return s.purpose == name }) {
			l.fold(at, muster.PurposeForgotten{Purpose: name})
		}
	}
}

// adoptPurpose adds a purpose that may have no workers: a purpose stays known
// after its first worker joined, even if that worker has left.
func (l *ledger) adoptPurpose(at muster.Instant, purpose string) {
	if l.tasks[purpose] == nil {
		l.fold(at, muster.WorkerJoined{Purpose: purpose, Worker: ""})
		l.fold(at, muster.WorkerLeft{Purpose: purpose, Worker: ""})
	}
}

// adoptWorker adopts a worker's reports. A report can only be undone by joining
// again.
func (l *ledger) adoptWorker(at muster.Instant, w workerData) {
	have, known := l.state.Worker(w.id)
	silent := w.state == muster.StateUnreported && have.State != w.state ||
		w.load == w.info.MaxLoad && have.Load != w.load
	if !known || silent || !bytes.Equal(have.Info.Raw, w.info.Raw) {
		l.fold(at, muster.WorkerJoined{Purpose: w.purpose, Worker: w.id, Info: w.info})
		have, _ = l.state.Worker(w.id)
	}
	if have.State != w.state {
		l.fold(at, muster.WorkerStateChanged{Worker: w.id, State: w.state})
	}
}

// adoptLoad comes after the tasks, because a reported load includes them. A
// worker at its limit has the same load as one that never reported.
func (l *ledger) adoptLoad(at muster.Instant, w workerData) {
	if have, _ := l.state.Worker(w.id); have.Load != w.load {
		l.fold(at, muster.WorkerLoadChanged{Worker: w.id, Load: w.load})
	}
}

// place is where a task belongs.
type place struct {
	worker  string
	running bool
}

func (l *ledger) adoptTasks(at muster.Instant, s schedulerData, d *runtimeData) {
	want := l.places(s, d)
	for _, t := range l.state.AllTasks(s.purpose) {
		if w, ok := want[t.Task]; !ok || w.worker != t.Worker {
			l.release(at, t)
		}
	}
	for _, w := range d.workers {
		if w.purpose == s.purpose {
			l.adoptRunning(at, w, want)
		}
	}
	for _, t := range s.tasks {
		if w, ok := want[t.task]; ok {
			l.adoptReserve(at, s.purpose, t, w)
		}
	}
}

func (l *ledger) release(at muster.Instant, t state.Task) {
	l.fold(at, muster.TaskReleased{Purpose: t.Purpose, Task: t.Task, Worker: t.Worker, Reason: muster.ReleasedUnscheduled})
}

// places returns where each task of the purpose is. A worker that runs it takes
// precedence over a placement elsewhere.
func (l *ledger) places(s schedulerData, d *runtimeData) map[string]place {
	want := map[string]place{}
	for _, t := range s.tasks {
		if purpose, _ := l.state.PurposeOf(t.worker); purpose == s.purpose {
			want[t.task] = place{worker: t.worker}
		}
	}
	for _, w := range d.workers {
		if w.purpose != s.purpose {
			continue
		}
		for _, task := range w.tasks {
			want[task] = place{w.id, true}
		}
	}
	return want
}

// adoptRunning makes the worker run its tasks in the order of the document.
func (l *ledger) adoptRunning(at muster.Instant, w workerData, want map[string]place) {
	tasks := slices.DeleteFunc(slices.Clone(w.tasks), func(task string) bool { return want[task].worker != w.id })
	have, _ := l.state.Tasks(w.id)
	if len(have) > len(tasks) || !slices.Equal(have, tasks[:len(have)]) {
		for _, task := range have {
			l.release(at, state.Task{Purpose: w.purpose, Task: task, Worker: w.id})
		}
		have = nil
	}
	for _, task := range tasks[len(have):] {
		l.fold(at, muster.TaskPickedUp{Purpose: w.purpose, Task: task, Worker: w.id})
	}
}

// adoptReserve adopts the reserve time of a task. An existing reservation
// continues unchanged. A task that runs without one gets the default, which OWT
// does not transmit.
func (l *ledger) adoptReserve(at muster.Instant, purpose string, t taskData, w place) {
	if e, known := l.tasks[purpose][t.task]; known && e.reserve == t.reserve {
		return
	}
	reserve := t.reserve
	if reserve == noReserve || reserve == 0 && !w.running {
		reserve = l.state.Config().ReserveMillis
	}
	l.fold(at, l.reserved(at, purpose, t.task, w.worker, reserve))
	if t.reserve == noReserve && w.running {
		l.enter(purpose, t.task, noReserve)
	}
}

// rewrite sorts purposes and tasks into the order of the document.
func (l *ledger) rewrite(d *runtimeData) {
	old := l.tasks
	l.tasks, l.purposes = map[string]map[string]entry{}, nil
	for _, s := range d.schedulers {
		l.purpose(s.purpose)
		for _, t := range s.tasks {
			if e, ok := old[s.purpose][t.task]; ok {
				l.enter(s.purpose, t.task, e.reserve)
			}
		}
	}
	for _, name := range l.purposes {
		for _, t := range l.state.AllTasks(name) {
			if _, ok := l.tasks[name][t.Task]; !ok {
				l.enter(name, t.Task, old[name][t.Task].reserve)
			}
		}
	}
}

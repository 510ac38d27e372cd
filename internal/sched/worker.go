package sched

import (
	"math"

	"github.com/muster-fleet/muster"
)

// Worker is what a Pool knows of a worker. Its owner embeds it, fills ID and
// Owner, and hands it to Pool.Add; from then on each change below keeps the
// pool's indexes right.
type Worker struct {
	ID string

	limit    Units
	ord      int32 // place in the join order, index into Pool.seats
	tasks    int32
	slots    int32 // the most tasks, 0: no limit
	status   status
	state    int8
	reported bool
	// draining and cordoned keep new tasks from it, whatever it says itself.
	draining, cordoned bool

	// Owner is the record that holds this one.
	Owner any

	pool   *Pool
	class  *class
	group  *group // weight-robin's, while the worker is available
	credit int64
	info   *muster.Info
}

// status is whether a worker may be given a task, and if not, the first of the
// rules that keep it out.
type status uint8

const (
	available status = iota
	draining
	cordoned
	notReady
	full
	noSlots
	numStatus
)

// assess returns the worker's status as its figures have it.
func (w *Worker) assess() status {
	switch {
	case w.draining:
		return draining
	case w.cordoned:
		return cordoned
	case !w.State().MayTake(), !w.reported:
		return notReady
	case w.charged() >= w.limit:
		return full
	case w.slots > 0 && w.tasks >= w.slots:
		return noSlots
	}
	return available
}

// score is the load that a strategy compares: the reported one and the debit.
func (w *Worker) score() Units { return w.seat().score() }

// charged is the load that is held against the worker's limit.
func (w *Worker) charged() Units {
	if w.pool.firm {
		return w.score()
	}
	return w.Measured()
}

// join sets what the worker says of itself when it joins. It has reported
// nothing yet.
func (w *Worker) join(info muster.Info) {
	w.state = int8(muster.StateUnreported)
	w.reported = false
	w.joinAgain(info)
}

// joinAgain is join for a process that has reported already: its state and load
// stay.
func (w *Worker) joinAgain(info muster.Info) {
	w.info = &info
	w.limit = UnitsOf(info.MaxLoad)
	w.slots = int32(min(max(info.MaxTasks, 0), math.MaxInt32))
	if !w.reported {
		w.seat().load, w.seat().report = w.limit, info.MaxLoad
	}
}

// Info is what the worker said when it joined. It must not be changed.
func (w *Worker) Info() *muster.Info { return w.info }

// State is the readiness that the worker reported last.
func (w *Worker) State() muster.WorkerState { return muster.WorkerState(w.state) }

// Load is the load that the worker reported last, or its limit before that.
func (w *Worker) Load() float64 { return w.seat().report }

// Reported reports whether the worker reported a load since it joined.
func (w *Worker) Reported() bool { return w.reported }

// Measured is Load in Units.
func (w *Worker) Measured() Units { return w.seat().load }

// Debit is the load that its tasks are expected to add.
func (w *Worker) Debit() Units { return w.seat().debit }

// SetState sets the readiness. A state that the wire does not know counts as not
// ready.
func (w *Worker) SetState(s muster.WorkerState) {
	if s < muster.StateUnreported || s > muster.StateReady {
		s = muster.StateNotReady
	}
	w.state = int8(s)
	w.pool.refresh(w)
}

// SetHeld says whether an operator keeps new tasks from the worker. It stays so
// when the worker joins again.
func (w *Worker) SetHeld(draining, cordoned bool) {
	w.draining, w.cordoned = draining, cordoned
	w.pool.refresh(w)
}

// IsDraining and IsCordoned tell what SetHeld said.
func (w *Worker) IsDraining() bool { return w.draining }
func (w *Worker) IsCordoned() bool { return w.cordoned }

// Report sets the load, and gives back the debit that it replaces.
func (w *Worker) Report(load float64, settled Units) {
	s := w.seat()
	w.reported, s.report, s.load = true, load, UnitsOf(load)
	s.debit -= settled
	w.pool.refresh(w)
}

// HasSlot reports whether it holds fewer tasks than it may.
func (w *Worker) HasSlot() bool { return w.slots == 0 || w.tasks < w.slots }

// Hold gives the worker one more task.
func (w *Worker) Hold(debit Units) {
	w.tasks++
	w.seat().debit += debit
	w.pool.refresh(w)
}

// Drop takes a task from the worker, and gives its debit back.
func (w *Worker) Drop(debit Units) {
	w.tasks--
	w.seat().debit -= debit
	w.pool.refresh(w)
}

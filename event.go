package muster

// Event is something that happened to the cluster: what the command that
// caused it changed, with everything that is needed to change another copy of
// the state alike. The concrete types follow, one an event.
type Event interface{ event() }

// LeaveReason is why a worker is no longer in the cluster.
type LeaveReason string

const (
	// LeftQuit is a worker that said that it goes.
	LeftQuit LeaveReason = "quit"
	// LeftLost is a worker that was silent for too long.
	LeftLost LeaveReason = "lost"
	// LeftMoved is a worker that joined again with another purpose.
	LeftMoved LeaveReason = "moved"
)

// ReleaseReason is why a task is no longer on a worker.
type ReleaseReason string

const (
	// ReleasedExpired is a reservation whose time was over.
	ReleasedExpired ReleaseReason = "expired"
	// ReleasedUnscheduled is a reservation that its caller gave up.
	ReleasedUnscheduled ReleaseReason = "unscheduled"
	// ReleasedDrained is a task that ended on a worker that is drained, or that
	// moves on from it after the drain's deadline.
	ReleasedDrained ReleaseReason = "drained"
	// ReleasedWorkerLeft is a task whose worker left the cluster.
	ReleasedWorkerLeft ReleaseReason = "worker-left"
)

// The events.
type (
	// WorkerJoined is a worker that joined, or that joined again.
	WorkerJoined struct {
		Purpose, Worker string
		Info            Info
	}
	// WorkerLeft is a worker that is gone. A TaskReleased for each of its
	// tasks, which were so many, comes before it.
	WorkerLeft struct {
		Purpose, Worker string
		Reason          LeaveReason
		Tasks           int
	}
	// WorkerStateChanged is a worker that reported its readiness.
	WorkerStateChanged struct {
		Worker string
		State  WorkerState
	}
	// WorkerLoadChanged is a worker that reported its load.
	WorkerLoadChanged struct {
		Worker string
		Load   float64
	}
	// TaskReserved is a task that was placed, or whose reservation was
	// prolonged.
	TaskReserved struct {
		Purpose, Task, Worker string
		// ReserveMillis is the length of the reservation, Until its end. Until
		// is 0 where the task runs already and only the length changed.
		ReserveMillis int64
		Until         Instant
		// Debit is what the placement added to its worker's load.
		Debit float64
		// Placement is the number of the placement; see Placement.Number.
		Placement uint64
	}
	// TaskPickedUp is a task that its worker runs from now on. Placement is
	// the number of its placement.
	TaskPickedUp struct {
		Purpose, Task, Worker string
		Placement             uint64
	}
	// TaskClaimed is a claim that was granted: the worker may start the task.
	// Number is that of the claim, by which the worker lays the task down.
	TaskClaimed struct {
		Purpose, Task, Worker string
		Number                uint64
	}
	// TaskLaidDown is a task that its worker no longer runs. It stays reserved
	// for the worker until Until.
	TaskLaidDown struct {
		Purpose, Task, Worker string
		Until                 Instant
	}
	// TaskReleased is a task that is on no worker any more.
	TaskReleased struct {
		Purpose, Task, Worker string
		Reason                ReleaseReason
	}
	// PurposeForgotten is a purpose that has had no workers for long, or that
	// made room for another: what its tasks cost is learned anew.
	PurposeForgotten struct{ Purpose string }
	// TaskRefused is a pick-up that did not happen, because the task is on
	// another worker.
	TaskRefused struct{ Purpose, Task, Worker, Holder string }

	// DrainOrdered is a drain that began. The workers in it follow, each with a
	// WorkerDrained.
	DrainOrdered struct {
		Drain    uint64
		Order    DrainOrder
		Deadline Instant
	}
	// WorkerDrained is a worker that gets no new tasks from now on, because of a
	// drain; with Drain 0 it is in none any more.
	WorkerDrained struct {
		Worker string
		Drain  uint64
	}
	// WorkerCordoned is a worker that gets no new tasks from now on, or does
	// again.
	WorkerCordoned struct {
		Worker   string
		Cordoned bool
	}
	// DrainOverdue is a drain whose deadline has passed with tasks left.
	DrainOverdue struct{ Drain uint64 }
	// DrainEmptied is a drain whose last task ended.
	DrainEmptied struct{ Drain uint64 }
	// DrainTrimmed is a drain that forgets the workers that left long ago.
	DrainTrimmed struct{ Drain uint64 }
	// DrainEnded is a drain that keeps no tasks from workers any more: State is
	// DrainCalledOff or DrainOver.
	DrainEnded struct {
		Drain uint64
		State DrainState
	}
	// StrategyChanged is a purpose's strategy that an operator set, or with ""
	// left to the configuration again.
	StrategyChanged struct {
		Purpose  string
		Strategy Strategy
	}
	// DebitChanged is the debit that an operator set, or with an empty Mode left
	// to the configuration again.
	DebitChanged struct {
		Mode         string
		Fixed, Floor float64
	}
	// Audited is a write by an operator that was recorded.
	Audited struct{ Entry AuditEntry }
)

func (WorkerJoined) event()       {}
func (WorkerLeft) event()         {}
func (WorkerStateChanged) event() {}
func (WorkerLoadChanged) event()  {}
func (TaskReserved) event()       {}
func (TaskPickedUp) event()       {}
func (TaskClaimed) event()        {}
func (TaskLaidDown) event()       {}
func (TaskReleased) event()       {}
func (PurposeForgotten) event()   {}
func (TaskRefused) event()        {}
func (DrainOrdered) event()       {}
func (WorkerDrained) event()      {}
func (WorkerCordoned) event()     {}
func (DrainOverdue) event()       {}
func (DrainEmptied) event()       {}
func (DrainTrimmed) event()       {}
func (DrainEnded) event()         {}
func (StrategyChanged) event()    {}
func (DebitChanged) event()       {}
func (Audited) event()            {}

package state

import (
	"encoding/json"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/purposes"
)

// Command is one change to the cluster, with all that the change depends on:
// two states that are given the same commands in the same order are equal.
type Command struct {
	// At is the time as the proposer saw it. The state's own time never goes
	// back: an earlier At counts as the latest one seen.
	At muster.Instant
	// Seed is the randomness that the command may use.
	Seed uint64
	Op   Op
}

// The operations. Those of workers and callers carry the names of the methods
// of the wire.
type (
	// Join adds a worker, or takes it in again. A worker that joins again
	// keeps its place in the order, and what is reserved for it. The same
	// process keeps what it runs, too; see Incarnation. Of any other, what it
	// ran is laid down, and so held for it until it picks that up again. A
	// process is refused that is older than the one that has the id.
	Join struct {
		Purpose, Worker string
		Info            muster.Info
	}
	// Quit takes a worker out, as it asked for.
	Quit struct{ Worker string }
	// WorkerLost takes a worker out that was silent for too long.
	WorkerLost struct{ Worker string }
	// ReportState is what a worker says of its readiness.
	ReportState struct {
		Worker string
		State  muster.WorkerState
	}
	// ReportLoad is what workers say of their load, many in one command. A
	// load that is negative or not a finite number is refused, one above 1 is
	// kept as it is; a worker that is unknown is passed over.
	ReportLoad struct{ Loads []WorkerLoad }
	// PickUpTasks reports that a worker runs these tasks now. A task that
	// another worker holds stays there, and is refused. One without a
	// placement is recorded as a fact, even above the worker's max_tasks,
	// which limits what is placed; its reserve time is the default.
	//
	// Placements, which may be shorter than Tasks, are the numbers of their
	// placements, for those of which this state knows nothing (any more).
	PickUpTasks struct {
		Worker     string
		Tasks      []string
		Placements []uint64
	}
	// ClaimTask asks whether a worker may start a task, before it does, and
	// counts the task as picked up if so. Refused are a placement that is no
	// longer in force, a task that another worker has, one without a placement
	// for which the worker has no slot, and a process that was replaced.
	// Placement is 0, and Incarnation "", where they are not known.
	ClaimTask struct {
		Worker, Incarnation string
		Task                string
		Placement           uint64
	}
	// LayDownTask reports that a worker no longer runs the task, which stays
	// reserved for the worker as long as it was reserved before. Placement is
	// the number that the claim was answered with, 0 any.
	LayDownTask struct {
		Worker, Task string
		Placement    uint64
	}
	// Schedule asks for a worker. A task that is placed already gets the
	// worker that it has, and a reservation at least as long as before.
	Schedule struct {
		Purpose, Task string
		// Preference is any JSON value, or absent.
		Preference json.RawMessage
		// ReserveMillis is how long the worker is held for the task. 0 and
		// less mean the configured default; more than MaxReserveMillis
		// counts as that.
		ReserveMillis int64
	}
	// ScheduleMany is several Schedules in one command, decided in this order.
	// Each has its own result; one that is refused leaves the others alone.
	ScheduleMany struct{ Tasks []Schedule }
	// Unschedule ends a reservation. A task that runs is left to its worker,
	// and is forgotten as soon as it is laid down. Placement is the number of
	// the placement, or that of the last claim of it; 0 is any.
	Unschedule struct {
		Worker, Task string
		Placement    uint64
	}
	// Expire ends the reservations that have run out at the command's At.
	Expire struct{}
	// ForgetPurposes forgets the purposes that have had no workers for
	// PurposeMemory, as of the command's At.
	ForgetPurposes struct{}
	// Configure changes how tasks are placed from now on.
	Configure struct{ Config Config }
)

// WorkerLoad is the load of a worker, from 0 to 1.
type WorkerLoad struct {
	Worker string
	Load   float64
}

// MaxReserveMillis is the longest reservation: a day.
const MaxReserveMillis = 24 * 60 * 60 * 1000

// Config is what decides how tasks are placed, and can change at run time.
type Config struct {
	// Strategies are by purpose; General is for a purpose that has none.
	Strategies map[string]muster.Strategy
	General    muster.Strategy
	// ReserveMillis is the length of a reservation that names none.
	ReserveMillis int64
	Debit         Debit
}

// Debit says how a placement counts before its worker reports it.
type Debit struct {
	// Mode is DebitLearned, DebitOff or DebitFixed.
	Mode DebitMode
	// Fixed is the load that each placement adds in DebitFixed.
	Fixed float64
	// Floor is the least that a placement adds in DebitLearned.
	Floor float64
}

// DebitMode says where a debit's size comes from.
type DebitMode string

const (
	// DebitLearned is what placements of the purpose really added, learned
	// from the reports, and never less than the floor.
	DebitLearned DebitMode = "learned"
	// DebitOff adds nothing until the worker reports: OWT's behaviour.
	DebitOff DebitMode = "off"
	// DebitFixed adds the same for every placement.
	DebitFixed DebitMode = "fixed"
)

// DefaultConfig returns OWT's strategies and reserve time, with learned debit.
func DefaultConfig() Config {
	return Config{
		Strategies:    purposes.Strategies(),
		General:       muster.RoundRobin,
		ReserveMillis: 60_000,
		Debit:         Debit{Mode: DebitLearned, Floor: 0.001},
	}
}

// Result is the outcome of a command.
type Result struct {
	// Err is why the command was refused: a muster.Reason in OWT's words
	// where OWT has them. Nil when it was done.
	Err error
	// Worker and Info are set by a Schedule that was done.
	Worker string
	Info   json.RawMessage
	// Placement is the number of the placement, of a Schedule that was done, or
	// that of the claim, of a ClaimTask.
	Placement uint64
	// Already reports that the task was placed before, on the same worker; of a
	// Join, that the worker was in the cluster before, with the same purpose.
	Already bool
	// Drain is set by a Drain or an Undrain that was done, Workers by a Cordon.
	Drain   *muster.Drain
	Workers []string
	// Losses are why an order was refused that was not forced.
	Losses []muster.Loss
	// Explanation is set by every Schedule, done or not, save one that was
	// Already placed. It is part of the state's memory of the last 65,536
	// decisions, and is overwritten when as many more were made.
	Explanation *muster.Explanation
	// Many are the results of a ScheduleMany, one for each of its tasks; all
	// else is then empty.
	Many []Result
}

package muster

import "fmt"

// Reason is why a manager refused a request, in the words that OWT's programs
// know and some of them compare.
type Reason string

func (r Reason) Error() string { return string(r) }

// The reasons that take no argument.
const (
	ReasonNotReady       Reason = "cluster manager is not ready."
	ReasonNoTask         Reason = "No such a task"
	ReasonInvalidPurpose Reason = "Invalid purpose."
	ReasonAllFull        Reason = "No worker available, all in full load."
	ReasonNoMatch        Reason = "No worker matches the preference."
)

// ReasonLastWorkers begins the refusal of an order that would leave a purpose
// without a worker; what would be lost follows.
const ReasonLastWorkers Reason = "refused unless forced: "

// The other refusals of orders by operators.
const (
	// ReasonNoneSelected: no worker matches the selector.
	ReasonNoneSelected Reason = "no worker matches"
	// ReasonNoDrain: no drain has that number, or none is in force for it.
	ReasonNoDrain Reason = "no such drain is in force"
)

// ReasonAskAgain is that of a manager, one of several, that does not lead at
// the moment. It is none of OWT's: where a queue can, it hands the request to
// the leader instead.
const ReasonAskAgain Reason = "another manager leads: ask again"

// The refusals of claimTask, which are none of OWT's either. The task must not
// be started.
const (
	// ReasonPlacementOver: the placement with that number is no longer in
	// force. The caller asks the manager for a worker again.
	ReasonPlacementOver Reason = "placement is no longer in force: schedule the task again"
	// ReasonTaskElsewhere: another worker has the task.
	ReasonTaskElsewhere Reason = "task is on another worker"
	// ReasonNoSlot: no placement put the task here, and the worker has as many
	// tasks as it takes.
	ReasonNoSlot Reason = "worker has as many tasks as it takes"
	// ReasonReplaced: a later process has joined under the same worker id.
	ReasonReplaced Reason = "worker was replaced: a later process has its id"
)

// Reasons of agents and nodes; none of them is OWT's.
const (
	// ReasonTaskTaken: a task of that name is there already, with another spec
	// or room. It is left as it is.
	ReasonTaskTaken Reason = "A task of that name exists already, with another spec or room"
	// ReasonNotOwner: the task was begun by another caller. It is left as it is.
	ReasonNotOwner Reason = "Another caller began the task"
)

// ReasonNoScheduler says that no worker of the purpose ever joined.
func ReasonNoScheduler(purpose string) Reason {
	return Reason("No scheduler for purpose: " + purpose)
}

// ReasonNotScheduled says why a task of the purpose was not placed: why is
// ReasonAllFull or ReasonNoMatch.
func ReasonNotScheduled(purpose string, why Reason) Reason {
	return Reason(fmt.Sprintf("Failed in scheduling %s worker, reason: %s", purpose, why))
}

// ReasonNoWorker says that the manager does not know the worker.
func ReasonNoWorker(worker string) Reason {
	return Reason(fmt.Sprintf("Worker [%s] does NOT exist.", worker))
}

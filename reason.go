package muster

import "fmt"

// Reason is why a request was refused.
type Reason struct {
	// Code names the kind of refusal, for programs. It stays the same; the words
	// may be improved, save OWT's.
	Code Code
	// Text says it in words: in OWT's where OWT has them, since its programs
	// compare them.
	Text string
}

func (r Reason) Error() string { return r.Text }

// Is makes all reasons with one code equal for errors.Is, whatever they name.
func (r Reason) Is(target error) bool {
	t, ok := target.(Reason)
	return ok && t.Code == r.Code && r.Code != ""
}

// Code is the kind of a refusal, as it is on the wire.
type Code string

// The codes of a manager.
const (
	CodeNotReady       Code = "not-ready"
	CodeNoTask         Code = "no-task"
	CodeInvalidPurpose Code = "invalid-purpose"
	CodeNoScheduler    Code = "no-scheduler"
	CodeAllFull        Code = "all-full"
	CodeNoMatch        Code = "no-match"
	CodeUnknownWorker  Code = "unknown-worker"
	CodeLastWorkers    Code = "last-workers"
	CodeNoneSelected   Code = "none-selected"
	CodeNoDrain        Code = "no-drain"
	CodeAskAgain       Code = "ask-again"
	CodePlacementOver  Code = "placement-over"
	CodeTaskElsewhere  Code = "task-elsewhere"
	CodeNoSlot         Code = "no-slot"
	CodeReplaced       Code = "replaced"
)

// The codes of agents and nodes.
const (
	CodeTaskTaken     Code = "task-taken"
	CodeNotOwner      Code = "not-owner"
	CodeInvalidTask   Code = "invalid-task"
	CodeNodeNotReady  Code = "node-not-ready"
	CodeEarlyRecycled Code = "early-recycled"
	CodeNotFound      Code = "not-found"
	CodeNoNode        Code = "no-node"
	CodeAgentNotReady Code = "agent-not-ready"
)

// The codes of every server.
const (
	CodeUnsupported Code = "unsupported"
	CodeOverloaded  Code = "overloaded"
	CodeTooLarge    Code = "too-large"
)

// The reasons of OWT's managers that take no argument.
var (
	ReasonNotReady       = Reason{CodeNotReady, "cluster manager is not ready."}
	ReasonNoTask         = Reason{CodeNoTask, "No such a task"}
	ReasonInvalidPurpose = Reason{CodeInvalidPurpose, "Invalid purpose."}
	ReasonAllFull        = Reason{CodeAllFull, "No worker available, all in full load."}
	ReasonNoMatch        = Reason{CodeNoMatch, "No worker matches the preference."}
)

// The refusals of orders by operators. ReasonLastWorkers says what would be lost
// in its words.
var (
	// ReasonNoneSelected: no worker matches the selector.
	ReasonNoneSelected = Reason{CodeNoneSelected, "no worker matches"}
	// ReasonNoDrain: no drain has that number, or none is in force for it.
	ReasonNoDrain = Reason{CodeNoDrain, "no such drain is in force"}
)

// ReasonAskAgain is that of a manager, one of several, that does not lead at
// the moment. It is none of OWT's: where a queue can, it hands the request to
// the leader instead.
var ReasonAskAgain = Reason{CodeAskAgain, "another manager leads: ask again"}

// The refusals of claimTask, which are none of OWT's either. The task must not
// be started.
var (
	// ReasonPlacementOver: the placement with that number is no longer in
	// force. The caller asks the manager for a worker again.
	ReasonPlacementOver = Reason{CodePlacementOver, "placement is no longer in force: schedule the task again"}
	// ReasonTaskElsewhere: another worker has the task.
	ReasonTaskElsewhere = Reason{CodeTaskElsewhere, "task is on another worker"}
	// ReasonNoSlot: no placement put the task here, and the worker has as many
	// tasks as it takes.
	ReasonNoSlot = Reason{CodeNoSlot, "worker has as many tasks as it takes"}
	// ReasonReplaced: a later process has joined under the same worker id.
	ReasonReplaced = Reason{CodeReplaced, "worker was replaced: a later process has its id"}
)

// Reasons of agents and nodes; the first two are none of OWT's.
var (
	// ReasonTaskTaken: a task of that name is there already, with another spec
	// or room. It is left as it is.
	ReasonTaskTaken = Reason{CodeTaskTaken, "A task of that name exists already, with another spec or room"}
	// ReasonNotOwner: the task was begun by another caller. It is left as it is.
	ReasonNotOwner = Reason{CodeNotOwner, "Another caller began the task"}
	// ReasonInvalidTask: the task has no name, or no room.
	ReasonInvalidTask = Reason{CodeInvalidTask, "Invalid task"}
	// ReasonNodeNotReady: the node did not start in time.
	ReasonNodeNotReady = Reason{CodeNodeNotReady, "node not ready"}
	// ReasonEarlyRecycled: the node ended before it was ready.
	ReasonEarlyRecycled = Reason{CodeEarlyRecycled, "node early recycled"}
)

// The reasons of every server.
var (
	// ReasonUnsupported: the server does not have the method.
	ReasonUnsupported = Reason{CodeUnsupported, "Not support method"}
	// ReasonOverloaded: there is no room for the request. It was not carried out;
	// another try, after a pause, may find room.
	ReasonOverloaded = Reason{CodeOverloaded, "overloaded: try again later"}
)

// ReasonNoScheduler says that no worker of the purpose ever joined.
func ReasonNoScheduler(purpose string) Reason {
	return Reason{CodeNoScheduler, "No scheduler for purpose: " + purpose}
}

// ReasonNotScheduled says why a task of the purpose was not placed: why is
// ReasonAllFull or ReasonNoMatch.
func ReasonNotScheduled(purpose string, why Reason) Reason {
	return Reason{why.Code, fmt.Sprintf("Failed in scheduling %s worker, reason: %s", purpose, why)}
}

// ReasonNoWorker says that the manager does not know the worker.
func ReasonNoWorker(worker string) Reason {
	return Reason{CodeUnknownWorker, fmt.Sprintf("Worker [%s] does NOT exist.", worker)}
}

// ReasonLastWorkers refuses an order that would leave a purpose without a worker.
// losses says what would be lost.
func ReasonLastWorkers(losses string) Reason {
	return Reason{CodeLastWorkers, "refused unless forced: " + losses}
}

package muster

import "encoding/json"

// TaskState is how far a task is that a node does.
type TaskState string

const (
	// TaskRunning is a task that goes on.
	TaskRunning TaskState = "running"
	// TaskDone is a task that ended as it should, or on request.
	TaskDone TaskState = "done"
	// TaskFailed is a task that ended otherwise; the report says why.
	TaskFailed TaskState = "failed"
)

// Cause is what the failure of a task lies at.
type Cause string

const (
	// CauseInput is a failure that every worker would have: the task is not
	// begun again.
	CauseInput Cause = "input"
	// CauseWorker is one of the worker's machine: another may succeed.
	CauseWorker Cause = "worker"
	// CausePassing is one that may be over next time, as a lost connection.
	CausePassing Cause = "passing"
	// CauseStopped is that the task was stopped before there was a result: it is not
	// begun again.
	CauseStopped Cause = "stopped"
)

// TaskReport is what a node, or the agent that runs it, says of a task.
type TaskReport struct {
	Task  string    `json:"task"`
	Room  string    `json:"room,omitempty"`
	Node  string    `json:"node"`
	State TaskState `json:"state"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
	// Cause says what the failure lies at, and with that whether another attempt
	// helps; "" where the node does not say.
	Cause Cause `json:"cause,omitempty"`
	// Status is what the node last said of itself, in words.
	Status string `json:"status,omitempty"`
	// Seconds is how long the task has run, or ran.
	Seconds float64 `json:"seconds,omitempty"`
	// Progress is the share of the work that is done, from 0 to 1; nil where it
	// is unknown, as of a live stream.
	Progress *float64 `json:"progress,omitempty"`
	// Detail is what the kind of work has to say beside: frames, bitrate ...
	Detail json.RawMessage `json:"detail,omitempty"`
	// By is TaskOrder.By of the caller that began the task.
	By string `json:"by,omitempty"`
	// Attempt is TaskOrder.Attempt of the order that began the task.
	Attempt int `json:"attempt,omitempty"`
	// EndedAt is when it ended; 0 for a task that goes on, and where it is unknown.
	EndedAt Instant `json:"ended_at,omitempty"`
}

// TaskOrder asks for a task: the argument of an agent's getNode, and of a
// node's start. Room and Task alone are OWT's. An order for a task that exists
// with the same room and spec joins it; one with another room or spec is refused
// with ReasonTaskTaken.
type TaskOrder struct {
	Room string `json:"room"`
	Task string `json:"task"`
	// Spec says what is to be done, in the words of the kind of work.
	Spec json.RawMessage `json:"spec,omitempty"`
	// Placement is the number of the placement that the order belongs to; 0
	// where it is not known. See Placement.Order.
	Placement uint64 `json:"placement,omitempty"`
	// Parts is set if the caller runs the TaskPlan with which the task may end.
	Parts bool `json:"parts,omitempty"`
	// By identifies the caller. The first caller of a task owns it; "" is
	// no particular caller.
	By string `json:"by,omitempty"`
	// Attempt is how often the caller has begun the task, from 1; 0 is unknown.
	Attempt int `json:"attempt,omitempty"`
}

// TaskWait is the second argument of a node's stats: the answer may wait for
// the end of the task.
type TaskWait struct {
	// WaitMS is how long it may wait, in milliseconds.
	WaitMS int64 `json:"wait_ms"`
}

// TaskRefusal is the detail with which a node refuses to start a task.
type TaskRefusal struct {
	// Cause is CauseWorker where another worker may do the task, as one that has
	// its files; "" where none would.
	Cause Cause `json:"cause,omitempty"`
}

// TaskEnd says that a task has ended: the second argument of an agent's
// recycleNode. Room and Task alone are OWT's.
type TaskEnd struct {
	Room string `json:"room"`
	Task string `json:"task"`
	// Result is how it ended, where that is known. With a result, recycleNode
	// is answered when the program of the task has ended.
	Result *TaskResult `json:"result,omitempty"`
	// By ends the task only if TaskOrder.By of its owner was the same; else
	// the answer is ReasonNotOwner. "" ends it in any case.
	By string `json:"by,omitempty"`
}

// TaskResult is how a task ended.
type TaskResult struct {
	State TaskState `json:"state"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
	// Cause and Detail are the node's, as in its TaskReport.
	Cause  Cause           `json:"cause,omitempty"`
	Detail json.RawMessage `json:"detail,omitempty"`
}

// TaskPlan is in the member "plan" of the detail of a task that ended by saying
// what is still to be done: Parts, on as many workers as there are, then Then on
// one; or Otherwise where a part failed. Who runs tasks to their end does so.
type TaskPlan struct {
	Parts     []json.RawMessage `json:"parts"`
	Then      json.RawMessage   `json:"then"`
	Otherwise json.RawMessage   `json:"otherwise,omitempty"`
}

package node

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/muster-fleet/muster"
)

// Work is the work of a node. Programs implement it.
type Work interface {
	// Check validates the spec of a task before the task starts. Its error names
	// the field at fault. spec is nil if the caller gave none.
	Check(spec json.RawMessage) error
	// Do runs a task until it is done or ctx ends. A nil error means that the task
	// is done, another why it failed. An error with a method
	// TaskCause() muster.Cause says whether another attempt may help. Once ctx has
	// ended the task counts as stopped, and as done unless Do returns ErrUnfinished.
	Do(ctx context.Context, t *Task) error
}

// Task is a task of a node.
type Task struct {
	// Name is the task's name, unique within its purpose.
	Name string
	// Room is the room that the task belongs to; often "".
	Room string
	// Node and Purpose are those of the node that runs it.
	Node, Purpose string
	// Spec is the specification that Check accepted.
	Spec json.RawMessage

	job *job
}

// RunsParts reports whether the caller runs what the task asks for when it ends:
// a muster.TaskPlan in its detail.
func (t *Task) RunsParts() bool { return t.job.order.Parts }

// Progress is the progress of a task.
type Progress struct {
	// Share is the part that is done, from 0 to 1; negative means unknown.
	Share float64
	// Detail is encoded as JSON: frames, bitrate, whatever the work measures.
	Detail any
}

// Report sets the progress of the task, which stats returns.
func (t *Task) Report(p Progress) { t.job.report(p) }

// Notify publishes an event. An event that cannot be sent is logged and lost.
func (t *Task) Notify(event string, data any) {
	t.job.table.publish(Event{Task: t.Name, Room: t.Room, Node: t.Node, Purpose: t.Purpose, Event: event, Data: data})
}

// Event is what Notify publishes, under the key "<purpose>.event".
type Event struct {
	Task    string `json:"task"`
	Room    string `json:"room,omitempty"`
	Node    string `json:"node"`
	Purpose string `json:"purpose"`
	Event   string `json:"event"`
	Data    any    `json:"data,omitempty"`
}

// ErrUnfinished is for tasks that have no result when they are stopped early, unlike
// a recording, of which there is what was recorded until then.
var ErrUnfinished error = unfinished{}

type unfinished struct{}

func (unfinished) Error() string           { return "stopped before there was a result" }
func (unfinished) TaskCause() muster.Cause { return muster.CauseStopped }

// outcome returns how a task ended, as in a report.
func outcome(err error, stopped bool) (muster.TaskState, string) {
	if err == nil || stopped && !errors.Is(err, ErrUnfinished) {
		return muster.TaskDone, ""
	}
	return muster.TaskFailed, err.Error()
}

// causeOf returns the cause of a failed task, which its error may give by a method
// TaskCause() muster.Cause.
func causeOf(state muster.TaskState, err error) muster.Cause {
	var says interface{ TaskCause() muster.Cause }
	if state == muster.TaskFailed && errors.As(err, &says) {
		return says.TaskCause()
	}
	return ""
}

// DefaultLinger is how long the report of an ended task stays readable.
const DefaultLinger = 5 * time.Second

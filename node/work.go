package node

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/muster-fleet/muster"
)

// Work is what a node does.
type Work interface {
	// Check says what is wrong with the spec of a task, by the name of the
	// field, before the task starts. spec is nil where the caller gave none.
	Check(spec json.RawMessage) error
	// Do does a task, until it is over or ctx is. Nil is a task that is done;
	// an error, why it failed; one with a method TaskCause() muster.Cause says
	// whether another attempt helps. After ctx is over the task counts as stopped,
	// whatever Do returns.
	Do(ctx context.Context, t *Task) error
}

// Task is one that a node does.
type Task struct {
	// Name is the task's, unique within its purpose.
	Name string
	// Room is what it belongs to; often "".
	Room string
	// Node and Purpose are those of the node that does it.
	Node, Purpose string
	// Spec says what is to be done, as Check let it pass.
	Spec json.RawMessage

	job *job
}

// Progress is how far a task is.
type Progress struct {
	// Share is the part that is done, from 0 to 1; negative is unknown.
	Share float64
	// Detail is encoded as JSON: frames, bitrate, what the work measures.
	Detail any
}

// Report says how far the task is; stats answers the last that was said.
func (t *Task) Report(p Progress) { t.job.report(p) }

// Notify publishes that something happened. What cannot be sent is logged, and
// lost.
func (t *Task) Notify(event string, data any) {
	t.job.desk.publish(Event{Task: t.Name, Room: t.Room, Node: t.Node, Purpose: t.Purpose, Event: event, Data: data})
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

// outcome is how a task ended, in the words of a report.
func outcome(err error, stopped bool) (muster.TaskState, string) {
	if err == nil || stopped {
		return muster.TaskDone, ""
	}
	return muster.TaskFailed, err.Error()
}

// causeOf is what an error of a task says that it lies at, by a method
// TaskCause() muster.Cause.
func causeOf(state muster.TaskState, err error) muster.Cause {
	var says interface{ TaskCause() muster.Cause }
	if state == muster.TaskFailed && errors.As(err, &says) {
		return says.TaskCause()
	}
	return ""
}

// DefaultLinger is how long the report of a task that ended stays readable.
const DefaultLinger = 5 * time.Second

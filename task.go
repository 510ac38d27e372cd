package muster

import "encoding/json"

// TaskState is how far a task is that a node does.
type TaskState string

const (
	// TaskRunning is a task that goes on.
	TaskRunning TaskState = "running"
	// TaskDone is a task that ended as it should, or was told to end.
	TaskDone TaskState = "done"
	// TaskFailed is a task that ended otherwise; the report says why.
	TaskFailed TaskState = "failed"
)

// TaskReport is what a node, or the agent that runs it, says of a task.
type TaskReport struct {
	Task  string    `json:"task"`
	Room  string    `json:"room,omitempty"`
	Node  string    `json:"node"`
	State TaskState `json:"state"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
	// Status is what the node last said of itself, in words.
	Status string `json:"status,omitempty"`
	// Seconds is how long the task has run, or ran.
	Seconds float64 `json:"seconds,omitempty"`
	// Progress is the share of the work that is done, from 0 to 1; nil where
	// nobody can tell, as of a live stream.
	Progress *float64 `json:"progress,omitempty"`
	// Detail is what the kind of work has to say beside: frames, bitrate ...
	Detail json.RawMessage `json:"detail,omitempty"`
}

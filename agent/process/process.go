package process

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Spec is a node to be started.
type Spec struct {
	// ID names the node, and its server on the bus: "<agent>_<n>".
	ID string
	// Agent and Purpose are those of the worker that runs it.
	Agent, Purpose string
	// Task and Room are set where the node is started for one task, not ahead
	// of any.
	Task, Room string
	// Input is what the caller said of the task; nil is nothing.
	Input json.RawMessage
}

// Launcher starts nodes of one kind.
type Launcher interface {
	// Launch starts a node and returns while it is still getting ready. ctx
	// bounds the start only. An error means that nothing runs.
	Launch(ctx context.Context, s Spec) (Node, error)
	// PerTask reports that a node is made for one task: Launch needs Spec.Task,
	// and no node can be started ahead of tasks.
	PerTask() bool
}

// Extender is a Node that may ask for more time to become ready.
type Extender interface {
	// ExtendedUntil is until when the node asked to be waited for; zero where
	// it did not.
	ExtendedUntil() time.Time
}

// ErrSpec wraps Launch's errors that are due to the Spec: no launcher of the
// kind can start a node for such a task.
var ErrSpec = errors.New("the task is not possible")

// Node is a node that was started. Its methods may be called from several
// goroutines.
type Node interface {
	// PID is the node's process, or 0 where it has none of its own.
	PID() int
	// Ready is closed when the node can take tasks. It stays open where the
	// node ends before that.
	Ready() <-chan struct{}
	// Done is closed when the node has ended and nothing that it started is
	// left.
	Done() <-chan struct{}
	// Err says, once Done is closed, how it ended: nil where it was stopped, or
	// ended with exit status 0; otherwise what went wrong.
	Err() error
	// Status is what the node last said of itself; "" is nothing.
	Status() string
	// Stop asks the node to end, and makes it after grace, or after what the
	// node asks for with EXTEND_TIMEOUT_USEC meanwhile. It returns at once and
	// may be called again, with less grace.
	Stop(grace time.Duration)
}

// Package history makes calls to a cluster at a steady rate, remembers how each
// of them ended, and judges what the cluster did by that.
package history

import (
	"errors"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
)

// Call is a schedule call, or a look-up of where a task is.
type Call struct {
	Task string
	// Look reports that it is a look-up.
	Look bool
	// Over reports that it is no call but the end of the task, at any time after
	// Start: it was laid down, given up, or not picked up in time.
	Over bool
	// Start and End are times since the history began.
	Start, End time.Duration
	// Worker is the answer. A look-up that found no such task has none.
	Worker string
	// Err is why there is no answer.
	Err error
}

// Answered reports that the manager answered what was asked. To a look-up that
// there is no such task is an answer.
func (c Call) Answered() bool { return c.Err == nil }

// Refused reports that the manager answered, but no to a placement.
func (c Call) Refused() bool {
	var refusal *bus.RemoteError
	return errors.As(c.Err, &refusal)
}

// looked turns "no such task" into the answer that it is.
func (c Call) looked() Call {
	if c.Look && (errors.Is(c.Err, client.ErrNoTask) || c.Err != nil && c.Err.Error() == client.ErrNoTask.Error()) {
		c.Err = nil
	}
	return c
}

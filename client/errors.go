package client

import (
	"encoding/json"
	"errors"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// The refusals of a manager.
var (
	// ErrNotReady: the manager has just started, and waits for its workers
	// before it places tasks.
	ErrNotReady error = muster.ReasonNotReady
	// ErrNoTask: no such task is placed, or its placement is not remembered.
	ErrNoTask error = muster.ReasonNoTask
	// ErrInvalidPurpose: no worker of the purpose ever joined (look-ups).
	ErrInvalidPurpose error = muster.ReasonInvalidPurpose
	// ErrNoScheduler: no worker of the purpose ever joined (Schedule).
	ErrNoScheduler error = muster.Reason{Code: muster.CodeNoScheduler, Text: "no worker of the purpose ever joined"}
	// ErrNoWorker: there are workers of the purpose, but none for this task.
	// The error is a *NoWorkerError.
	ErrNoWorker = errors.New("no worker for the task")
	// ErrUnknownWorker: the manager does not know the worker.
	ErrUnknownWorker error = muster.Reason{Code: muster.CodeUnknownWorker, Text: "the manager does not know the worker"}
	// ErrPlacementOver: the placement is no longer in force; the caller came
	// too late, and schedules the task again (GetNode, Release).
	ErrPlacementOver error = muster.ReasonPlacementOver
	// ErrTaskElsewhere: another worker has the task (GetNode).
	ErrTaskElsewhere error = muster.ReasonTaskElsewhere
	// ErrNoSlot: no placement put the task there, and the worker has as many as it
	// takes (GetNode).
	ErrNoSlot error = muster.ReasonNoSlot
	// ErrLastWorkers: an order would leave a purpose without a worker. The error
	// is a *LastWorkersError.
	ErrLastWorkers error = muster.Reason{Code: muster.CodeLastWorkers, Text: "a purpose would have no worker left"}
	// ErrNoneSelected: no worker matches the selector.
	ErrNoneSelected error = muster.ReasonNoneSelected
	// ErrNoDrain: no drain has that number, or none is in force for the selector.
	ErrNoDrain error = muster.ReasonNoDrain
	// ErrUnsupported: the manager, or the worker, does not have the method.
	ErrUnsupported error = muster.ReasonUnsupported
	// ErrOverloaded: too much waited, and did so for as long as the call could
	// be tried again.
	ErrOverloaded error = muster.ReasonOverloaded
)

// NoWorkerError is a task that no worker could take.
type NoWorkerError struct {
	Purpose string
	// Reason is muster.ReasonAllFull or muster.ReasonNoMatch.
	Reason muster.Reason
	// Explanation says how many workers there are, and how many of them each
	// rule excluded. Nil where the manager gave none.
	Explanation *muster.Explanation

	remote *bus.RemoteError
}

// Error is the manager's refusal, word for word.
func (e *NoWorkerError) Error() string { return muster.ReasonNotScheduled(e.Purpose, e.Reason).Text }

// Is makes the error an ErrNoWorker.
func (e *NoWorkerError) Is(target error) bool { return target == ErrNoWorker }

// Unwrap returns the refusal as it came.
func (e *NoWorkerError) Unwrap() error { return e.remote }

// noWorker makes a refusal to place a task of the purpose a *NoWorkerError. Other
// errors stay as they are.
func noWorker(err error, purpose string) error {
	var remote *bus.RemoteError
	if !errors.As(err, &remote) {
		return err
	}
	e := &NoWorkerError{Purpose: purpose, remote: remote}
	switch remote.Code {
	case muster.CodeAllFull:
		e.Reason = muster.ReasonAllFull
	case muster.CodeNoMatch:
		e.Reason = muster.ReasonNoMatch
	default:
		return err
	}
	var why muster.Explanation
	if len(remote.Detail) > 0 && json.Unmarshal(remote.Detail, &why) == nil {
		e.Explanation = &why
	}
	return e
}

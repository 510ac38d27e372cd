package client

import (
	"encoding/json"
	"errors"
	"strings"

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
	ErrNoScheduler = errors.New("no worker of the purpose ever joined")
	// ErrNoWorker: there are workers of the purpose, but none for this task.
	// The error is a *NoWorkerError.
	ErrNoWorker = errors.New("no worker for the task")
	// ErrUnknownWorker: the manager does not know the worker.
	ErrUnknownWorker = errors.New("the manager does not know the worker")
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
	ErrLastWorkers = errors.New("a purpose would have no worker left")
	// ErrNoneSelected: no worker matches the selector.
	ErrNoneSelected error = muster.ReasonNoneSelected
	// ErrNoDrain: no drain has that number, or none is in force for the selector.
	ErrNoDrain error = muster.ReasonNoDrain
	// ErrUnsupported: the manager, or the worker, does not have the method.
	ErrUnsupported = errors.New("method not supported")
	// ErrOverloaded: too much waited, and did so for as long as the call could
	// be tried again.
	ErrOverloaded = errors.New("overloaded")
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
func (e *NoWorkerError) Error() string { return string(muster.ReasonNotScheduled(e.Purpose, e.Reason)) }

// Is makes the error an ErrNoWorker.
func (e *NoWorkerError) Is(target error) bool { return target == ErrNoWorker }

// Unwrap returns the refusal as it came.
func (e *NoWorkerError) Unwrap() error { return e.remote }

// refusal is a refusal whose words are known: it is both errors.
type refusal struct {
	kind   error
	remote *bus.RemoteError
}

func (e *refusal) Error() string   { return e.remote.Error() }
func (e *refusal) Unwrap() []error { return []error{e.kind, e.remote} }

// The words of muster's reasons that take an argument, without it.
var (
	noScheduler                  = string(muster.ReasonNoScheduler(""))
	failedPrefix, _              = around(string(muster.ReasonNotScheduled("\x00", "")))
	_, failedMiddle              = around(string(muster.ReasonNotScheduled("\x00", "")))
	unknownPrefix, unknownSuffix = around(string(muster.ReasonNoWorker("\x00")))
)

func around(reason string) (before, after string) {
	before, after, _ = strings.Cut(reason, "\x00")
	return before, after
}

// understand turns a refusal whose words are known into a value of this
// package. Other errors stay as they are.
func understand(err error) error {
	var remote *bus.RemoteError
	if !errors.As(err, &remote) {
		return err
	}
	reason := remote.Reason
	switch {
	case reason == bus.MethodUnknown:
		return &refusal{ErrUnsupported, remote}
	case reason == bus.Overloaded:
		return &refusal{ErrOverloaded, remote}
	case reason == ErrNotReady.Error():
		return &refusal{ErrNotReady, remote}
	case reason == ErrNoTask.Error():
		return &refusal{ErrNoTask, remote}
	case reason == ErrPlacementOver.Error():
		return &refusal{ErrPlacementOver, remote}
	case reason == ErrNoneSelected.Error():
		return &refusal{ErrNoneSelected, remote}
	case reason == ErrNoDrain.Error():
		return &refusal{ErrNoDrain, remote}
	case reason == ErrInvalidPurpose.Error():
		return &refusal{ErrInvalidPurpose, remote}
	case strings.HasPrefix(reason, noScheduler):
		return &refusal{ErrNoScheduler, remote}
	case strings.HasPrefix(reason, unknownPrefix) && strings.HasSuffix(reason, unknownSuffix):
		return &refusal{ErrUnknownWorker, remote}
	}
	if failed := notScheduled(remote); failed != nil {
		return failed
	}
	return err
}

// notScheduled reads "Failed in scheduling P worker, reason: R". The purpose
// may hold any words, so the last middle counts.
func notScheduled(remote *bus.RemoteError) error {
	rest, ok := strings.CutPrefix(remote.Reason, failedPrefix)
	i := strings.LastIndex(rest, failedMiddle)
	if !ok || i < 0 {
		return nil
	}
	e := &NoWorkerError{Purpose: rest[:i], Reason: muster.Reason(rest[i+len(failedMiddle):]), remote: remote}
	var why muster.Explanation
	if len(remote.Detail) > 0 && json.Unmarshal(remote.Detail, &why) == nil {
		e.Explanation = &why
	}
	return e
}

// refusalOf returns the refusal in err that begins with those words, nil where
// there is none.
func refusalOf(err error, words string) *bus.RemoteError {
	var remote *bus.RemoteError
	if !errors.As(err, &remote) || !strings.HasPrefix(remote.Reason, words) {
		return nil
	}
	return remote
}

// decodeDetail reads what a refusal says beside its words. One without leaves v
// as it is.
func decodeDetail(remote *bus.RemoteError, v any) error {
	if len(remote.Detail) == 0 {
		return nil
	}
	return json.Unmarshal(remote.Detail, v)
}

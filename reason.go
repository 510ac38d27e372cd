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

// ReasonAskAgain is that of a manager, one of several, that does not lead at
// the moment. It is none of OWT's: where a queue can, it hands the request to
// the leader instead.
const ReasonAskAgain Reason = "another manager leads: ask again"

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

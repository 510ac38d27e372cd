package muster

import "encoding/json"

// FeedEvent is something that happened to the cluster, as the leader publishes it for
// people and programs that watch. Members that do not apply are left out.
type FeedEvent struct {
	// Type says what happened: see the constants.
	Type    string `json:"type"`
	Purpose string `json:"purpose,omitempty"`
	Worker  string `json:"worker,omitempty"`
	Task    string `json:"task,omitempty"`
	// Reason is why, in the words of LeaveReason, ReleaseReason or Reason.
	Reason string `json:"reason,omitempty"`
	// State is what a worker reported of itself.
	State string `json:"state,omitempty"`
	// Holder is the worker that has the task instead.
	Holder string `json:"holder,omitempty"`
	// Placement is the number of the placement, Until the end of the reservation.
	Placement uint64  `json:"placement,omitempty"`
	Until     Instant `json:"until,omitempty"`
	// Workers is how many workers a refused task could have had, Excluded how many of
	// them each rule kept out.
	Workers  int       `json:"workers,omitempty"`
	Excluded *Excluded `json:"excluded,omitempty"`
	// Drain is the number of the drain that the event is about.
	Drain uint64 `json:"drain,omitempty"`
	// Detail is the event of a type that is not among the constants.
	Detail json.RawMessage `json:"detail,omitempty"`
}

// The types of a FeedEvent.
const (
	FeedWorkerJoined  = "worker.joined"
	FeedWorkerLeft    = "worker.left"
	FeedWorkerState   = "worker.state"
	FeedTaskPlaced    = "task.placed"
	FeedTaskRefused   = "task.refused"
	FeedTaskClaimed   = "task.claimed"
	FeedTaskRunning   = "task.running"
	FeedTaskLaidDown  = "task.laid-down"
	FeedTaskReleased  = "task.released"
	FeedPickUpRefused = "task.pick-up-refused"
	FeedPurposeForgot = "purpose.forgotten"
	FeedLeader        = "leader"
	// FeedOrder is a write by an operator, with its AuditEntry as Detail; the others
	// say what came of it. Drain is the number of a drain.
	FeedOrder          = "order"
	FeedWorkerDrained  = "worker.drained"
	FeedWorkerFreed    = "worker.undrained"
	FeedWorkerCordoned = "worker.cordoned"
	FeedWorkerOpened   = "worker.uncordoned"
	FeedDrainBegan     = "drain.began"
	FeedDrainOverdue   = "drain.overdue"
	FeedDrainEmpty     = "drain.empty"
	FeedDrainEnded     = "drain.ended"
	FeedStrategy       = "strategy"
	FeedDebit          = "debit"
	FeedOther          = "other"
)

// FeedBatch is what happened within a moment. The leader publishes one when something
// happened, and one a second in any case.
type FeedBatch struct {
	Cluster string `json:"cluster"`
	// Feed names the run of numbers: another leader begins another one.
	Feed string `json:"feed"`
	// First is the number of the first event. One that is missing was lost on the way.
	First uint64  `json:"first"`
	At    Instant `json:"at"`
	// Term is that of the leader.
	Term   uint64      `json:"term"`
	Events []FeedEvent `json:"events,omitempty"`
	// Loads are those that workers reported, the last of each.
	Loads map[string]float64 `json:"loads,omitempty"`
	// Skipped is how many events are left out, since too much happened at once: who
	// keeps a copy of the cluster reads it again.
	Skipped int `json:"skipped,omitempty"`
	// Placed and Refused are how many calls of schedule were answered so.
	Placed  int `json:"placed,omitempty"`
	Refused int `json:"refused,omitempty"`
}

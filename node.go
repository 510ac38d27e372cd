package muster

// NodeState says how far a node is.
type NodeState string

// The states of a node.
const (
	NodeStarting NodeState = "starting"
	NodeIdle     NodeState = "idle"
	NodeBusy     NodeState = "busy"
	NodeStopping NodeState = "stopping"
)

// Node is a process, or a goroutine, that does tasks for an agent.
type Node struct {
	// ID names it, and its server on the bus: "<agent>_<n>".
	ID string `json:"node"`
	// PID is 0 where the node has no process of its own.
	PID   int       `json:"pid"`
	State NodeState `json:"state"`
	// Room is that of its first task.
	Room  string   `json:"room"`
	Tasks []string `json:"tasks"`
	// Status is what the node last said of itself, in words.
	Status string `json:"status"`
	// AgeMillis is how many milliseconds ago it was started.
	AgeMillis int64 `json:"started_ms_ago"`
}

// LogQuery asks for what a node has printed.
type LogQuery struct {
	Node string `json:"node"`
	// Offset is where to read from; negative counts from the end.
	Offset int64 `json:"offset"`
	// Limit is the most bytes that are wanted; 0 is as many as there may be.
	Limit int `json:"limit"`
}

// LogPart is a piece of what a node has printed.
type LogPart struct {
	Data string `json:"data"`
	// Offset is where Data begins: later than was asked for where the oldest is
	// deleted.
	Offset int64 `json:"offset"`
	// Next is where to go on.
	Next int64 `json:"next"`
	// Ended reports that the node has ended, and that nothing is after Next.
	Ended bool `json:"ended"`
}

package client

import "context"

// Nodes lists the nodes of an agent, the oldest first.
func (c *Client) Nodes(ctx context.Context, worker string) ([]Node, error) {
	var nodes []Node
	err := c.askWorker(ctx, &nodes, worker, "listNodes")
	return nodes, err
}

// Node is a process, or a goroutine, that does tasks for an agent.
type Node struct {
	ID string `json:"node"`
	// PID is 0 where the node has no process of its own.
	PID int `json:"pid"`
	// State is starting, idle, busy or stopping.
	State string `json:"state"`
	// Room is that of its first task.
	Room  string   `json:"room"`
	Tasks []string `json:"tasks"`
	// Status is what the node last said of itself.
	Status string `json:"status"`
	// AgeMillis is how long ago it was started.
	AgeMillis int64 `json:"started_ms_ago"`
}

// ReadLog reads what a node of an agent has printed, from a place in all of it
// on; also of nodes that ended a while ago.
func (c *Client) ReadLog(ctx context.Context, worker, node string, offset int64) (LogPart, error) {
	var part LogPart
	err := c.askWorker(ctx, &part, worker, "readLog", map[string]any{"node": node, "offset": offset})
	return part, err
}

// LogPart is a piece of what a node has printed.
type LogPart struct {
	Data string `json:"data"`
	// Offset is where Data begins: later than was asked for where the oldest
	// is deleted.
	Offset int64 `json:"offset"`
	// Next is where to go on.
	Next int64 `json:"next"`
	// Ended tells that nothing will follow.
	Ended bool `json:"ended"`
}

package client

import (
	"context"

	"github.com/muster-fleet/muster"
)

// Nodes lists the nodes of an agent, the oldest first.
func (c *Client) Nodes(ctx context.Context, worker string) ([]muster.Node, error) {
	var nodes []muster.Node
	err := c.askWorker(ctx, &nodes, worker, "listNodes")
	return nodes, err
}

// ReadLog reads what a node of an agent has printed, from a place in all of it
// on; also of nodes that ended a while ago.
func (c *Client) ReadLog(ctx context.Context, worker, node string, offset int64) (muster.LogPart, error) {
	var part muster.LogPart
	err := c.askWorker(ctx, &part, worker, "readLog", muster.LogQuery{Node: node, Offset: offset})
	return part, err
}

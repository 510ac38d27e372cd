package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/muster-fleet/muster"
)

// GetNode asks an agent for a node that does the task, and returns the node's
// id. An agent that has the task already answers the node that it has.
func (c *Client) GetNode(ctx context.Context, worker string, o muster.TaskOrder) (node string, err error) {
	err = c.askWorker(ctx, &node, worker, "getNode", o)
	return node, err
}

// RecycleNode reports to an agent that a task has ended; a node ends with its last
// task.
func (c *Client) RecycleNode(ctx context.Context, worker, node string, end muster.TaskEnd) error {
	return c.askWorker(ctx, nil, worker, "recycleNode", node, end)
}

// QueryTask asks an agent how a task is that it has, or that ended a while ago.
// ErrNoTask says that it knows nothing of it.
func (c *Client) QueryTask(ctx context.Context, worker, task string) (muster.TaskReport, error) {
	var r muster.TaskReport
	err := c.askWorker(ctx, &r, worker, "queryTask", task)
	return r, err
}

// EndedTasks asks an agent how the tasks ended that ended last, the last one
// first, and at most 200. Of Detail they have the members
// "kept" and "warnings" alone; QueryTask has all.
func (c *Client) EndedTasks(ctx context.Context, worker string, limit int) ([]muster.TaskReport, error) {
	var list []muster.TaskReport
	err := c.askWorker(ctx, &list, worker, "endedTasks", limit)
	return list, err
}

// StartTask asks a node to begin with a task that it was got for. Repeating it
// is harmless.
func (c *Client) StartTask(ctx context.Context, node string, o muster.TaskOrder) error {
	return c.askWorker(ctx, nil, node, "start", o)
}

// StopTask asks a node to end a task early, and returns when it has.
func (c *Client) StopTask(ctx context.Context, node, task string) error {
	return c.askWorker(ctx, nil, node, "stop", task)
}

// TaskStats asks a node how far a task is. ErrNoTask says that the node knows
// nothing of it.
func (c *Client) TaskStats(ctx context.Context, node, task string) (muster.TaskReport, error) {
	var r muster.TaskReport
	err := c.askWorker(ctx, &r, node, "stats", task)
	return r, err
}

// AwaitTask is TaskStats, answered when the task has ended, or else after wait.
// A node of another version answers at once.
func (c *Client) AwaitTask(ctx context.Context, node, task string, wait time.Duration) (muster.TaskReport, error) {
	var r muster.TaskReport
	err := c.askWorker(ctx, &r, node, "stats", task, muster.TaskWait{WaitMS: wait.Milliseconds()})
	return r, err
}

// askWorker calls a worker or a node once, and reads its answer into the
// pointer, which may be nil.
func (c *Client) askWorker(ctx context.Context, into any, worker, method string, args ...any) error {
	raw, err := c.Call(ctx, worker, method, args...)
	if err != nil {
		return err
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("client: the answer of %s to %s: %w", worker, method, err)
	}
	return nil
}

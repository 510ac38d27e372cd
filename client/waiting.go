package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster/bus"
)

// keyWaiting is the key of Waiting on bus.TopicBatches.
const keyWaiting = "waiting"

// Waiting is the notice that a batch of tasks has found no worker, and that batches
// of lower priority should leave the next one to it. It counts for some seconds, or
// until the notice that it ended.
type Waiting struct {
	Cluster  string `json:"cluster"`
	Purpose  string `json:"purpose"`
	Priority int    `json:"priority"`
	// Over takes an earlier notice back.
	Over bool `json:"over,omitempty"`
}

// TellWaiting publishes that a batch waits for a worker, or no longer does.
func (c *Client) TellWaiting(ctx context.Context, w Waiting) error {
	w.Cluster = c.opts.Cluster
	err := c.conn.Publish(ctx, bus.TopicBatches, keyWaiting, w)
	if err != nil {
		return fmt.Errorf("client: tell who waits: %w", err)
	}
	return nil
}

// WatchWaiting calls f with each batch of the purpose that waits, until stop is
// called.
func (c *Client) WatchWaiting(ctx context.Context, purpose string, f func(Waiting)) (stop func() error, err error) {
	listen := func(_ string, body json.RawMessage) {
		var w Waiting
		if json.Unmarshal(body, &w) == nil && w.Cluster == c.opts.Cluster && w.Purpose == purpose {
			f(w)
		}
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	sub, err := c.conn.Subscribe(ctx, bus.TopicBatches, keyWaiting, listen)
	if err != nil {
		return nil, fmt.Errorf("client: watch who waits: %w", err)
	}
	return sub.Close, nil
}

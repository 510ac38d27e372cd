package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// Watch calls f with what happens to the cluster, as the leader publishes it several
// times a second, until ctx ends; it then returns nil. f is called for one batch at a
// time. While it is busy some thousand batches wait, and more are lost: a number that
// is missing, and a FeedBatch with another Feed, say that a copy of the cluster must
// be read again.
func (c *Client) Watch(ctx context.Context, f func(muster.FeedBatch)) error {
	listen := func(_ string, body json.RawMessage) {
		var batch muster.FeedBatch
		if json.Unmarshal(body, &batch) == nil && batch.Cluster == c.opts.Cluster && ctx.Err() == nil {
			f(batch)
		}
	}
	opening, cancel := c.within(ctx)
	sub, err := c.conn.Subscribe(opening, bus.TopicEvents, bus.KeyFeed, listen)
	cancel()
	if err != nil {
		return fmt.Errorf("client: watch: %w", err)
	}
	<-ctx.Done()
	return sub.Close()
}

// HandBack is the notice that a task's worker is drained, and that the deadline has
// passed: scheduling the task again gives it another worker.
type HandBack struct {
	Purpose string `json:"purpose"`
	Task    string `json:"task"`
	Worker  string `json:"worker"`
	Drain   uint64 `json:"drain"`
	// Ends reports that the worker's agent ends the task.
	Ends bool `json:"ends,omitempty"`
}

// WatchHandBacks calls f with each task of the purpose that is handed back, until ctx
// ends; it then returns nil. A notice comes again, every half a minute, until the task
// has left its worker. "" means every purpose.
func (c *Client) WatchHandBacks(ctx context.Context, purpose string, f func(HandBack)) error {
	listen := func(_ string, body json.RawMessage) {
		var h HandBack
		if json.Unmarshal(body, &h) == nil && ctx.Err() == nil && (purpose == "" || purpose == h.Purpose) {
			f(h)
		}
	}
	opening, cancel := c.within(ctx)
	sub, err := c.conn.Subscribe(opening, bus.TopicTasks, "handed-back", listen)
	cancel()
	if err != nil {
		return fmt.Errorf("client: watch what is handed back: %w", err)
	}
	<-ctx.Done()
	return sub.Close()
}

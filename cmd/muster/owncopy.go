package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/manager"
)

// ownCopy is a connection that has look-ups answered by the manager beside it, where
// that follows: the leader is asked for a word only, and not for the answer.
type ownCopy struct {
	bus.Conn
	manager *manager.Manager
	cluster string
}

// ownCopyTime bounds how long the leader may take to vouch for the copy, before the
// question goes to it.
const ownCopyTime = 500 * time.Millisecond

// Call answers from the copy, or asks over the queue.
func (c ownCopy) Call(ctx context.Context, server, method string, args ...any) (json.RawMessage, error) {
	if server == c.cluster {
		if reply, ok := c.read(ctx, method, args); ok {
			return reply.Data, reply.Refusal()
		}
	}
	return c.Conn.Call(ctx, server, method, args...)
}

func (c ownCopy) read(ctx context.Context, method string, args []any) (reply bus.Reply, ok bool) {
	encoded, err := bus.EncodeArgs(args...)
	if err != nil {
		return reply, false
	}
	short, cancel := context.WithTimeout(ctx, ownCopyTime)
	defer cancel()
	return c.manager.ReadOwn(short, method, encoded)
}

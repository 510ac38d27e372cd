package bus

import (
	"context"
	"encoding/json"
	"time"
)

// Timed is a Conn that ends a call at a given time by itself, for less than a
// context with a deadline costs.
type Timed interface {
	// CallUntil is Call that also ends, with context.DeadlineExceeded, at until.
	// The context needs no deadline.
	CallUntil(ctx context.Context, until time.Time, server, method string, args ...any) (json.RawMessage, error)
}

// CallUntil is Call on c that also ends, with context.DeadlineExceeded, at until.
// The context needs no deadline.
func CallUntil(ctx context.Context, c Conn, until time.Time, server, method string, args ...any) (json.RawMessage, error) {
	if timed, ok := c.(Timed); ok {
		return timed.CallUntil(ctx, until, server, method, args...)
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return c.Call(ctx, server, method, args...)
}

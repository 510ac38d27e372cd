package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/pause"
)

// Between two tries a client waits firstPause, then twice as long each time up
// to longestPause, and each time between half and all of that: many clients
// must not come back in step. A manager that fails over is back within
// milliseconds, hence the short start.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 250 * time.Millisecond
	// A manager that is overloaded needs time more than another try.
	overloadPause        = 50 * time.Millisecond
	longestOverloadPause = time.Second
)

// within gives ctx a deadline where it has none.
func (c *Client) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.opts.Timeout)
}

// persist calls the manager until it answers or the deadline passes. The error
// is then that of the context, with that of the last try that says more.
func (c *Client) persist(ctx context.Context, method string, args []any) (json.RawMessage, error) {
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(c.opts.Timeout)
	}
	raw, err := c.try(ctx, until, method, args)
	if err == nil || !c.again(err) {
		return raw, err
	}
	return c.tryAgain(ctx, until, err, method, args)
}

// tryAgain goes on after a first try that failed, until the deadline.
func (c *Client) tryAgain(ctx context.Context, until time.Time, first error, method string, args []any) (json.RawMessage, error) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	err := first
	for last, wait := error(nil), firstPause; ; {
		if last == nil || !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		longest := longestPause
		if errors.Is(err, ErrOverloaded) {
			wait, longest = max(wait, overloadPause), longestOverloadPause
		}
		if !pause.For(ctx, jitter(wait)) {
			return nil, overdue(ctx, last)
		}
		wait = min(2*wait, longest)
		var raw json.RawMessage
		if raw, err = c.try(ctx, until, method, args); err == nil || !c.again(err) {
			return raw, err
		}
	}
}

// try makes one call, without a context of its own: that would cost a tenth of it.
func (c *Client) try(ctx context.Context, until time.Time, method string, args []any) (json.RawMessage, error) {
	if end := time.Now().Add(c.opts.TryTimeout); end.Before(until) {
		until = end
	}
	return bus.CallUntil(ctx, c.conn, until, c.opts.Cluster, method, args...)
}

// again reports whether another try may bring an answer.
func (c *Client) again(err error) bool {
	for _, passing := range []error{bus.ErrDisconnected, bus.ErrNoServer, context.DeadlineExceeded, muster.ReasonAskAgain, ErrOverloaded} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return c.opts.WaitReady && errors.Is(err, ErrNotReady)
}

// overdue is the error of a call whose deadline passed, with that of the last
// try where it says more.
func overdue(ctx context.Context, last error) error {
	over := context.Cause(ctx)
	if errors.Is(last, over) {
		return last
	}
	return fmt.Errorf("%w; the last try: %w", over, last)
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

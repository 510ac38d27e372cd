package natsbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/internal/repeat"
	"github.com/muster-fleet/muster/bus/internal/watchers"
)

// Conn is a bus.Conn over NATS. Close and the Close of a Service or a
// Subscription wait for handlers, so that a handler must not call them.
type Conn struct {
	// nc is the current connection of nats.go. It is replaced when nats.go closes
	// it for good. Written with mu held.
	nc   atomic.Pointer[nats.Conn]
	urls string
	opts []nats.Option
	log  *slog.Logger
	name string
	// self is who this Conn is to a server that knows its users; zero to others.
	self  bus.Identity
	wire  *wire
	calls *calls
	watch watchers.Watchers
	// repeats limits how often a repeated error is logged.
	repeats repeat.Counter

	closing   atomic.Bool
	closeOnce sync.Once
	// keeper is the goroutine that replaces a connection of nats.go.
	keeper sync.WaitGroup
	// subscribing is held while a subscription is sent to the server, so that a
	// refusal can be attributed to it.
	subscribing sync.Mutex

	mu   sync.Mutex
	subs map[*subscription]struct{}
}

var _ bus.Conn = (*Conn)(nil)

// open sets up a new connection.
func (c *Conn) open(ctx context.Context) error {
	c.wire.use(c.wire.number())
	if _, err := c.subscribe(ctx, c.calls.prefix+"*", "", answerLimit, c.answered); err != nil {
		_ = c.Close()
		return err
	}
	c.watch.Set(bus.Status{Connected: true})
	return nil
}

// Close ends the connection. It waits up to flushTimeout for what was sent.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() {
		c.mu.Lock() // lets a subscription that is being made be seen
		c.closing.Store(true)
		c.mu.Unlock()
		c.calls.close(bus.ErrClosed)
		if c.wire.up.Load() {
			_ = c.nc.Load().FlushTimeout(flushTimeout)
		}
		c.wire.abort()
		c.nc.Load().Close()
		c.keeper.Wait()
		c.awaitSubscriptions()
		c.wire.writers.Wait()
		c.watch.Set(bus.Status{Err: bus.ErrClosed})
	})
	c.keeper.Wait()
	return nil
}

func (c *Conn) awaitSubscriptions() {
	for _, s := range c.subscriptions() {
		s.await()
	}
}

func (c *Conn) subscriptions() []*subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.subs))
}

// Watch calls f with the current status and each change.
func (c *Conn) Watch(f func(bus.Status)) (stop func()) { return c.watch.Add(f) }

func (c *Conn) disconnected(_ *nats.Conn, err error) {
	if c.closing.Load() {
		return
	}
	if err == nil {
		err = errors.New("the broker closed the connection")
	}
	c.log.Warn("connection lost", "err", err)
	c.watch.Set(bus.Status{Err: fmt.Errorf("%w: %w", bus.ErrDisconnected, err)})
}

// reconnected waits until the server has processed the subscriptions, and then
// allows messages to be sent.
func (c *Conn) reconnected(nc *nats.Conn) {
	number := c.wire.number()
	for nc.FlushTimeout(flushTimeout) != nil {
		if number != c.wire.number() || !nc.IsConnected() {
			return
		}
	}
	if c.wire.use(number) {
		c.repeats.Reset()
		c.log.Info("connected again", "server", nc.ConnectedUrlRedacted())
		c.watch.Set(bus.Status{Connected: true})
	}
}

func (c *Conn) notReconnected(_ *nats.Conn, err error) { c.warnRepeated("still not connected", err) }

// asyncError handles errors that the server reports asynchronously.
func (c *Conn) asyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	if sub != nil {
		c.log.Warn("subscription failed", "subject", sub.Subject, "err", err)
		return
	}
	if subject, ok := deniedPublish(err); ok {
		c.calls.deny(subject, fmt.Errorf("%w: the user may not publish to %q", bus.ErrDenied, subject))
	}
	c.warnRepeated("error from the server", err)
}

// warnRepeated logs an error that may repeat, at growing intervals.
func (c *Conn) warnRepeated(message string, err error) {
	if n, due := c.repeats.Due(message + err.Error()); due {
		c.log.Warn(message, "err", err, "times", n)
	}
}

// deniedPublish returns the subject to which the user may not publish.
func deniedPublish(err error) (subject string, ok bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", false
	}
	_, rest, ok := strings.Cut(err.Error(), `for Publish to "`)
	if !ok {
		return "", false
	}
	subject, _, ok = strings.Cut(rest, `"`)
	return subject, ok
}

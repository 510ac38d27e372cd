package amqpbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/internal/watchers"
)

// Conn is a connection to RabbitMQ, or to one of several that form a cluster.
type Conn struct {
	broker *dialer
	log    *slog.Logger
	status watchers.Watchers
	calls  calls
	reply  *consumer

	buffers buffers
	limits  limits // of the broker, forgotten with the connection

	session atomic.Pointer[session]
	over    context.Context // ends with Close
	end     context.CancelFunc
	keeper  sync.WaitGroup // the goroutine that reconnects
	closing sync.Once

	mu        sync.Mutex
	consumers []*consumer // servers and listeners, in the order in which they came
}

var _ bus.Conn = (*Conn)(nil)

// Dial connects to RabbitMQ. It tries each server of the URL once, and fails
// with the reasons of all; user and password are guest unless given. (RabbitMQ
// takes 3 seconds to refuse a password, on purpose.) Once connected, the Conn reconnects by itself, without limit. The
// context bounds the dialling only.
func Dial(ctx context.Context, o bus.Options) (*Conn, error) {
	d, err := newDialer(o)
	if err != nil {
		return nil, err
	}
	c := &Conn{broker: d, log: o.Log().With("component", "amqpbus")}
	c.over, c.end = context.WithCancel(context.Background())
	c.reply = newReplyConsumer(c)
	s, err := c.connect(ctx)
	if err != nil {
		c.end()
		return nil, err
	}
	c.status.Update(func(bus.Status) bus.Status { return s.status() })
	c.keeper.Go(func() { c.keep(s) })
	return c, nil
}

// connect opens a session and declares all servers, listeners and the reply queue
// on it.
func (c *Conn) connect(ctx context.Context) (*session, error) {
	s, err := c.broker.dial(ctx, c)
	if err != nil {
		return nil, err
	}
	// From here on answers can be sent. Calls need the reply queue first.
	c.session.Store(s)
	if err := s.run(ctx, func() error { return c.declare(s) }); err != nil {
		c.session.Store(nil)
		s.close(time.Now())
		return nil, err
	}
	return s, nil
}

// declare attaches all consumers to the session. A server or listener that the
// broker refuses is retried in the background; without a reply queue the session
// fails.
func (c *Conn) declare(s *session) error {
	c.mu.Lock()
	consumers := slices.Clone(c.consumers)
	c.mu.Unlock()
	for _, k := range consumers {
		if err := k.attach(s); err != nil && !s.isOver() {
			c.log.Warn("broker refused to restore a consumer, retrying", "what", k.what, "err", err)
			s.spawn(func() { k.retryAttach(s) })
		}
	}
	return c.reply.attach(s)
}

// keep replaces each session that ends, until Close.
func (c *Conn) keep(s *session) {
	for s != nil {
		err := s.wait(c.over)
		if c.over.Err() != nil {
			return
		}
		c.log.Warn("connection to the broker lost", "err", err)
		c.disconnect(s, err)
		s = c.reconnect()
	}
}

func (c *Conn) disconnect(s *session, err error) {
	c.session.Store(nil)
	c.limits.body.Store(0)
	c.calls.failAll(fmt.Errorf("%w: connection lost: %w", bus.ErrDisconnected, err))
	c.status.Set(bus.Status{Err: fmt.Errorf("%w: %w", bus.ErrDisconnected, err)})
	s.close(time.Now())
}

// reconnect returns nil if Close came first.
func (c *Conn) reconnect() *session {
	var pause backoff
	for pause.wait(c.over.Done(), nil) {
		ctx, cancel := context.WithTimeout(c.over, dialLimit)
		s, err := c.connect(ctx)
		cancel()
		switch {
		case err == nil:
			c.log.Info("reconnected to the broker", "attempts", pause.attempts)
			c.status.Update(func(bus.Status) bus.Status { return s.status() })
			return s
		case c.over.Err() == nil:
			if pause.due() {
				c.log.Warn("still not connected", "err", err, "attempts", pause.attempts)
			}
			c.status.Set(bus.Status{Err: fmt.Errorf("%w: %w", bus.ErrDisconnected, err)})
		}
	}
	return nil
}

// Watch implements bus.Conn.
func (c *Conn) Watch(f func(bus.Status)) (stop func()) { return c.status.Add(f) }

// closeLimit is how long Close waits for what was sent to leave.
const closeLimit = 2 * time.Second

// Close implements bus.Conn. It waits up to two seconds for a broker that does
// not read.
func (c *Conn) Close() error {
	c.closing.Do(func() {
		c.end()
		c.keeper.Wait()
		c.calls.close()
		deadline := time.Now().Add(closeLimit)
		s := c.session.Load()
		if s != nil {
			// Requests that are here already may still be answered.
			s.expire(deadline)
		}
		for _, k := range c.takeConsumers() {
			k.close()
		}
		c.reply.close()
		c.session.Store(nil)
		if s != nil {
			s.close(deadline)
		}
		c.status.Set(bus.Status{Err: bus.ErrClosed})
	})
	return nil
}

// isClosed reports whether Close has been called.
func (c *Conn) isClosed() bool { return c.over.Err() != nil }

// current returns the session, or why there is none.
func (c *Conn) current() (*session, error) {
	if c.isClosed() {
		return nil, bus.ErrClosed
	}
	if s := c.session.Load(); s != nil {
		return s, nil
	}
	return nil, bus.ErrDisconnected
}

// consume starts a consumer and keeps it for the sessions to come.
func (c *Conn) consume(ctx context.Context, k *consumer) error {
	s, err := c.current()
	if err != nil {
		k.close()
		return err
	}
	c.mu.Lock()
	c.consumers = append(c.consumers, k)
	c.mu.Unlock()
	// Close may have taken the consumers before this one was there.
	err = s.run(ctx, func() error { return k.attach(s) })
	if err == nil && c.isClosed() {
		err = bus.ErrClosed
	}
	if err == nil {
		return nil
	}
	err = c.closedHere(err)
	c.forget(k)
	// A broker that is frozen must not keep the caller past its context.
	if ctx.Err() == nil || !s.spawn(k.close) {
		k.close()
	}
	return err
}

// closedHere turns ErrDisconnected into ErrClosed after Close, and explains
// time-outs on a blocked broker.
func (c *Conn) closedHere(err error) error {
	if c.isClosed() && errors.Is(err, bus.ErrDisconnected) {
		return bus.ErrClosed
	}
	if s := c.session.Load(); s != nil {
		return s.explainTimeout(err)
	}
	return err
}

func (c *Conn) forget(k *consumer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.consumers = slices.DeleteFunc(c.consumers, func(other *consumer) bool { return other == k })
}

func (c *Conn) takeConsumers() []*consumer {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.consumers
	c.consumers = nil
	return all
}

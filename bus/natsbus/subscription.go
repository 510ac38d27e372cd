package natsbus

import (
	"context"
	"fmt"
	"sync"

	"github.com/muster-fleet/muster/bus"
	"github.com/nats-io/nats.go"
)

// limit is how much may wait for the handler of a subscription before more is
// dropped. -1 means any amount.
type limit struct{ messages, bytes int }

var (
	unlimited = limit{-1, -1}
	// serviceLimit is far more than any burst: a request that is dropped is
	// one that is never answered.
	serviceLimit = limit{1 << 20, 512 << 20}
	// listenerLimit counts the message that the listener has in hand, too.
	listenerLimit = limit{bus.ListenerBacklog + 1, 128 << 20}
)

// subscription is a running one of nats.go, and the goroutine that it has.
type subscription struct {
	conn *Conn
	sub  *nats.Subscription
	// done is closed when the handler runs no more.
	done chan struct{}

	closeOnce sync.Once
	mu        sync.Mutex
	dropped   uint64
}

// subscribe returns once the server knows.
func (c *Conn) subscribe(ctx context.Context, subject, queue string, l limit, h nats.MsgHandler) (*subscription, error) {
	s := &subscription{conn: c, done: make(chan struct{})}
	if err := c.enter(s, subject, queue, l, h); err != nil {
		return nil, err
	}
	if err := c.flush(ctx); err != nil {
		s.end((*nats.Subscription).Unsubscribe)
		return nil, err
	}
	return s, nil
}

// enter begins the subscription, unless Close has come before it.
func (c *Conn) enter(s *subscription, subject, queue string, l limit, h nats.MsgHandler) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return bus.ErrClosed
	}
	sub, err := c.nc.QueueSubscribe(subject, queue, h)
	if err != nil {
		return c.sendError(err, 0)
	}
	sub.SetClosedHandler(func(string) { close(s.done) })
	s.sub = sub
	c.subs[s] = struct{}{}
	return sub.SetPendingLimits(l.messages, l.bytes)
}

// flush waits until the server has taken what was sent.
func (c *Conn) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := c.nc.FlushWithContext(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("the broker does not answer: %w", ctx.Err())
		}
		return c.sendError(err, 0)
	}
	return nil
}

// end stops the subscription in the given way and waits for its handler.
func (s *subscription) end(how func(*nats.Subscription) error) {
	s.closeOnce.Do(func() {
		s.Dropped()
		_ = how(s.sub)
	})
	<-s.done
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	delete(s.conn.subs, s)
}

// Dropped counts the messages that came while the handler was too busy.
func (s *subscription) Dropped() uint64 {
	n, err := s.sub.Dropped()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.dropped = max(s.dropped, uint64(n))
	}
	return s.dropped
}

package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/muster-fleet/muster/bus"
	"github.com/nats-io/nats.go"
)

// limit bounds the messages that wait for the handler of a subscription; more are
// dropped.
type limit struct{ messages, bytes int }

var (
	// answerLimit and serviceLimit are far more than any burst, and the
	// handlers are quick: what is dropped is never answered.
	answerLimit  = limit{1 << 20, 256 << 20}
	serviceLimit = limit{1 << 18, 128 << 20}
	// listenerLimit counts the message that the listener has in hand, too.
	listenerLimit = limit{bus.ListenerBacklog + 1, 64 << 20}
)

// subscription is a subscription of a Conn: one of nats.go per connection, each with
// its own goroutine.
type subscription struct {
	conn           *Conn
	subject, queue string
	limit          limit
	handler        nats.MsgHandler
	// last is called when the handler has returned for the last time; may be nil.
	last func()

	closeOnce sync.Once

	mu  sync.Mutex
	sub *nats.Subscription
	// done is closed when the handler of sub runs no more.
	done    chan struct{}
	ended   bool
	earlier uint64 // dropped by those before sub
	dropped uint64 // by sub, as last seen
}

func (c *Conn) newSubscription(subject, queue string, l limit, h nats.MsgHandler) *subscription {
	return &subscription{conn: c, subject: subject, queue: queue, limit: l, handler: h}
}

// subscribe subscribes, and returns once the server has confirmed it.
func (c *Conn) subscribe(ctx context.Context, subject, queue string, l limit, h nats.MsgHandler) (*subscription, error) {
	s := c.newSubscription(subject, queue, l, h)
	if err := s.register(ctx); err != nil {
		s.end((*nats.Subscription).Unsubscribe)
		return nil, err
	}
	return s, nil
}

// register adds the subscription to the Conn, and returns once the server has
// confirmed it. If that fails, the next connection restores it, until end.
func (s *subscription) register(ctx context.Context) error {
	c := s.conn
	c.subscribing.Lock()
	defer c.subscribing.Unlock()
	before := c.nc.Load().LastError()
	if err := c.add(s); err != nil {
		return err
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	return s.denied(before, c.nc.Load().LastError())
}

func (c *Conn) add(s *subscription) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return bus.ErrClosed
	}
	c.subs[s] = struct{}{}
	return c.sendError(s.begin(c.nc.Load()), 0)
}

// denied returns the error if the server has refused the subscription, which it
// reports before it answers a flush.
func (s *subscription) denied(before, now error) error {
	if now == before || !errors.Is(now, nats.ErrPermissionViolation) || !strings.Contains(now.Error(), `"`+s.subject+`"`) {
		return nil
	}
	return fmt.Errorf("%w: the user may not subscribe to %q", bus.ErrDenied, s.subject)
}

// begin subscribes on a connection of nats.go. The handler of the one before
// runs no more.
func (s *subscription) begin(nc *nats.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	sub, err := nc.QueueSubscribe(s.subject, s.queue, s.handler)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	sub.SetClosedHandler(func(string) {
		if s.last != nil {
			s.last()
		}
		close(done)
	})
	if !sub.IsValid() {
		return nats.ErrConnectionClosed // perhaps before the handler was set
	}
	s.earlier += s.dropped
	s.sub, s.done, s.dropped = sub, done, 0
	return sub.SetPendingLimits(s.limit.messages, s.limit.bytes)
}

// flush waits until the server has processed what was sent.
func (c *Conn) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := c.nc.Load().FlushWithContext(ctx); err != nil {
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
		s.mu.Lock()
		s.ended = true
		sub := s.sub
		s.mu.Unlock()
		if sub != nil {
			_ = how(sub)
		}
	})
	s.await()
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	delete(s.conn.subs, s)
}

// await waits for the handler of the subscription of nats.go that there is,
// which has ended.
func (s *subscription) await() {
	s.mu.Lock()
	done := s.done
	s.mu.Unlock()
	if done != nil {
		<-done
	}
}

// Dropped counts the messages dropped because the handler was too slow.
func (s *subscription) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sub == nil {
		return 0
	}
	if n, err := s.sub.Dropped(); err == nil {
		s.dropped = max(s.dropped, uint64(n))
	}
	return s.earlier + s.dropped
}

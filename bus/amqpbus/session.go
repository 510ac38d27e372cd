package amqpbus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// session is one connection to the broker, from its beginning to its loss.
type session struct {
	owner *Conn
	conn  *amqp.Connection
	wire  *coalescer
	lost  chan *amqp.Error // gets the reason; closed without one by close
	over  chan struct{}    // closed when no goroutine of it should go on

	mu    sync.Mutex
	ended bool
	tasks sync.WaitGroup

	rpc     *publisher // calls, casts and answers: one channel, one order
	notices *publisher // topics, which may be missing, which closes the channel
	// replyTo is the queue for answers, empty until there is one.
	replyTo atomic.Pointer[string]
	// blocked is why the broker takes no messages; nil while it does.
	blocked atomic.Pointer[string]
}

func newSession(ctx context.Context, owner *Conn, conn *amqp.Connection, wire *coalescer) (*session, error) {
	s := &session{owner: owner, conn: conn, wire: wire, over: make(chan struct{})}
	s.lost = conn.NotifyClose(make(chan *amqp.Error, 1))
	s.rpc = newPublisher(s, "calls")
	s.notices = newPublisher(s, "notices")
	s.rpc.lost = func(err error) {
		owner.calls.failAll(fmt.Errorf("%w: the broker closed the channel: %w", bus.ErrDisconnected, err))
		if isMissing(err) {
			s.rebind()
		}
	}
	s.watchBlocked()
	err := s.run(ctx, func() error { return errors.Join(s.rpc.open(), s.notices.open()) })
	if err != nil {
		s.close(time.Now())
		return nil, err
	}
	return s, nil
}

// rebind begins again, to declare all again: somebody deleted owtRpc, and every
// binding to it with it.
func (s *session) rebind() { s.wire.Conn.Close() }

// run does what the library would do without end on a broker that is frozen:
// it gives up with the context, or with the session. f then ends by itself, at
// the latest when the heart-beats find the broker dead.
func (s *session) run(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	if !s.spawn(func() { done <- f() }) {
		return bus.ErrDisconnected
	}
	select {
	case err := <-done:
		if err != nil && s.isOver() {
			return fmt.Errorf("%w: %w", bus.ErrDisconnected, err)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns when the connection is lost, with the reason, or with ctx.
func (s *session) wait(ctx context.Context) error {
	select {
	case err := <-s.lost:
		if err == nil {
			return errors.New("connection closed")
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isOver reports whether the connection is closed or lost.
func (s *session) isOver() bool { return s.conn.IsClosed() }

// expire breaks the connection at the deadline if it is still there.
func (s *session) expire(deadline time.Time) {
	s.spawn(func() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		select {
		case <-t.C:
			s.wire.Conn.Close()
		case <-s.over:
		}
	})
}

// close ends the connection, in good order if that is done by the deadline, and
// waits for the session's goroutines.
func (s *session) close(deadline time.Time) {
	_ = s.conn.CloseDeadline(deadline)
	s.mu.Lock()
	if !s.ended {
		s.ended = true
		close(s.over)
	}
	s.mu.Unlock()
	s.tasks.Wait()
}

// spawn runs f on a goroutine that close waits for. It returns false, and does
// nothing, when close was called.
func (s *session) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.tasks.Go(f)
	}
	return !s.ended
}

// watchBlocked follows whether the broker, short of memory or disk, takes no
// messages: to this side it looks like a network that hangs. RabbitMQ says so
// to a connection when that publishes.
func (s *session) watchBlocked() {
	blocked := s.conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	s.spawn(func() {
		for b := range blocked {
			if b.Active {
				s.blocked.Store(&b.Reason)
				s.owner.log.Warn("broker blocked: it takes no messages", "reason", b.Reason)
			} else {
				s.blocked.Store(nil)
				s.owner.log.Info("broker takes messages again")
			}
			s.owner.status.alter(func(now bus.Status) bus.Status {
				if now.Connected && s.owner.session.Load() == s {
					return s.status()
				}
				return now
			})
		}
	})
}

// status is that of a session that is in use.
func (s *session) status() bus.Status {
	if reason := s.blocked.Load(); reason != nil {
		return bus.Status{Connected: true, Blocked: true, Err: fmt.Errorf("%w: %s", bus.ErrBlocked, *reason)}
	}
	return bus.Status{Connected: true}
}

// late explains an error of something that was not done in time, if the broker
// was the reason.
func (s *session) late(err error) error {
	if s.blocked.Load() != nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", bus.ErrBlocked, err)
	}
	return err
}

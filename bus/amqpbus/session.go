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

// session is one connection to the broker, from dialling to its loss.
type session struct {
	owner *Conn
	conn  *amqp.Connection
	wire  *socket
	lost  chan *amqp.Error // receives the reason; close closes it without one
	over  <-chan struct{}  // closed by end, to end the session's goroutines
	end   context.CancelFunc
	life  context.Context // until then
	// open opens another connection to the same server.
	open func(context.Context) (*amqp.Connection, error)

	mu    sync.Mutex
	ended bool
	tasks sync.WaitGroup

	rpc     *publisher // calls, casts and answers: one channel, one order
	notices *publisher // topics, which may be missing, which closes the channel
	// replyTo is the name of the reply queue; nil until it is declared.
	replyTo atomic.Pointer[string]
	// blocked is why the broker accepts no messages; nil while it does.
	blocked atomic.Pointer[string]

	dialing sync.Mutex
	second  atomic.Pointer[amqp.Connection] // see consuming
}

func newSession(ctx context.Context, owner *Conn, conn *amqp.Connection, sock *socket, open func(context.Context) (*amqp.Connection, error)) (*session, error) {
	s := &session{owner: owner, conn: conn, wire: sock, open: open}
	s.life, s.end = context.WithCancel(context.Background())
	s.over = s.life.Done()
	s.lost = conn.NotifyClose(make(chan *amqp.Error, 1))
	s.rpc = newPublisher(s, "calls")
	s.notices = newPublisher(s, "notices")
	s.rpc.lost = func(err error) {
		owner.calls.failAll(fmt.Errorf("%w: the broker closed the channel: %w", bus.ErrDisconnected, err))
		if isMissing(err) {
			s.reconnect()
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

// reconnect breaks the connection, so that all is declared again: the exchange
// owtRpc was deleted, and with it all bindings to it.
func (s *session) reconnect() { s.wire.Conn.Close() }

// consuming returns the connection that only consumes: the broker reads from it
// also while it is short of memory or disk. It is opened when first asked for,
// and the session ends with it.
func (s *session) consuming() (*amqp.Connection, error) {
	s.dialing.Lock()
	defer s.dialing.Unlock()
	if conn := s.second.Load(); conn != nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(s.life, dialLimit)
	defer cancel()
	conn, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	lost := conn.NotifyClose(make(chan *amqp.Error, 1))
	s.second.Store(conn)
	started := s.spawn(func() {
		if err := <-lost; err != nil && !s.conn.IsClosed() {
			s.owner.log.Warn("connection that consumes lost", "err", err)
			s.reconnect()
		}
	})
	if !started {
		_ = conn.CloseDeadline(time.Now())
		return nil, bus.ErrDisconnected
	}
	return conn, nil
}

// run calls f, which may hang on a frozen broker, and returns early when the
// context or the session ends. f then ends by itself, at the latest when the
// heartbeats time out.
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

// wait returns the reason when the connection is lost, or the error of ctx.
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

// isOver reports whether a connection is closed or lost.
func (s *session) isOver() bool {
	second := s.second.Load()
	return s.conn.IsClosed() || second != nil && second.IsClosed()
}

// expire breaks the connection at the deadline unless it is closed before.
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

// close ends the connection, gracefully if that is possible by the deadline, and
// waits for the session's goroutines.
func (s *session) close(deadline time.Time) {
	_ = s.conn.CloseDeadline(deadline)
	s.mu.Lock()
	s.ended = true
	s.end()
	s.mu.Unlock()
	// One that is being opened fails from here on.
	if second := s.second.Load(); second != nil {
		_ = second.CloseDeadline(deadline)
	}
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

// start is spawn for a goroutine that a group counts as well.
func (s *session) start(group *sync.WaitGroup, f func()) error {
	group.Add(1)
	if !s.spawn(func() { defer group.Done(); f() }) {
		group.Done()
		return bus.ErrDisconnected
	}
	return nil
}

// watchBlocked follows whether the broker, short of memory or disk, stops reading
// from the connection. RabbitMQ notifies a connection once it publishes.
func (s *session) watchBlocked() {
	blocked := s.conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	s.spawn(func() {
		for b := range blocked {
			if b.Active {
				s.blocked.Store(&b.Reason)
				s.owner.log.Warn("broker blocked: accepts no messages", "reason", b.Reason)
			} else {
				s.blocked.Store(nil)
				s.owner.log.Info("broker accepts messages again")
			}
			s.owner.status.Update(func(now bus.Status) bus.Status {
				if now.Connected && s.owner.session.Load() == s {
					return s.status()
				}
				return now
			})
		}
	})
}

// status returns the Status of a session in use.
func (s *session) status() bus.Status {
	if reason := s.blocked.Load(); reason != nil {
		return bus.Status{Connected: true, Blocked: true, Err: fmt.Errorf("%w: %s", bus.ErrBlocked, *reason)}
	}
	return bus.Status{Connected: true}
}

// explainTimeout adds ErrBlocked to a time-out if the broker is blocked.
func (s *session) explainTimeout(err error) error {
	if s.blocked.Load() != nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", bus.ErrBlocked, err)
	}
	return err
}

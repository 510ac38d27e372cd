package natsbus

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// highWater is how many bytes may be unsent before senders wait.
	highWater = 4 << 20
	// stall is the deadline of one write.
	stall = 10 * time.Second
	// keepRoom is the largest buffer that is kept for the next batch.
	keepRoom = 1 << 20
)

// socket is a net.Conn whose Write never waits for the network: a separate
// goroutine writes all bytes buffered so far. nats.go holds its lock while it
// writes, so that a frozen broker would block every caller.
type socket struct {
	net.Conn
	number uint64
	lost   func(number uint64)
	work   chan struct{}
	done   chan struct{}
	once   sync.Once

	// waiting is the length of pending.
	waiting atomic.Int64

	mu      sync.Mutex
	pending []byte
	// taken is closed when pending is taken; nil unless room waits for it.
	taken chan struct{}
	err   error
}

// newSocket returns a socket; run writes until Close. Close calls lost once.
func newSocket(c net.Conn, number uint64, lost func(uint64)) *socket {
	return &socket{
		Conn: c, number: number, lost: lost,
		work: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// Write buffers p. Its error is that of an earlier batch.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return 0, s.err
	}
	s.pending = append(s.pending, p...)
	s.waiting.Store(int64(len(s.pending)))
	s.mu.Unlock()
	select {
	case s.work <- struct{}{}:
	default:
	}
	return len(p), nil
}

// SetWriteDeadline does nothing: the writer has its own.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is for reading alone.
func (s *socket) SetDeadline(t time.Time) error { return s.Conn.SetReadDeadline(t) }

func (s *socket) Close() error {
	var err error
	s.once.Do(func() {
		s.fail(net.ErrClosed)
		close(s.done)
		err = s.Conn.Close()
		s.lost(s.number)
	})
	return err
}

func (s *socket) isClosed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// run writes until the socket is closed.
func (s *socket) run() {
	var spare []byte
	for {
		select {
		case <-s.done:
			return
		case <-s.work:
		}
		batch := s.swap(spare)
		if len(batch) > 0 {
			_ = s.Conn.SetWriteDeadline(time.Now().Add(stall))
			if _, err := s.Conn.Write(batch); err != nil {
				s.fail(err)
				_ = s.Conn.Close()
				return
			}
		}
		spare = nil
		if cap(batch) <= keepRoom {
			spare = batch[:0]
		}
	}
}

// swap takes the pending bytes and leaves an empty buffer.
func (s *socket) swap(empty []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.pending
	s.replace(empty)
	return batch
}

// fail ends writing, and wakes callers of room.
func (s *socket) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		s.replace(nil)
	}
}

// replace puts an empty buffer in the place of pending, with mu held.
func (s *socket) replace(empty []byte) {
	s.pending = empty
	s.waiting.Store(0)
	if s.taken != nil {
		close(s.taken)
		s.taken = nil
	}
}

// room waits until at most highWater bytes are unsent. It returns at once on a
// socket that has failed.
func (s *socket) room(ctx context.Context) error {
	for s.waiting.Load() > highWater {
		select {
		case <-s.next():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// next returns a channel that is closed when the pending bytes have been taken.
func (s *socket) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.taken
	if next == nil {
		next = make(chan struct{})
		s.taken = next
	}
	if len(s.pending) == 0 {
		s.replace(s.pending)
	}
	return next
}

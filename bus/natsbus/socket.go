package natsbus

import (
	"net"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus/internal/asyncconn"
)

// stall is the deadline of one write.
const stall = 10 * time.Second

// socket is the connection below nats.go, which holds its lock while it writes:
// a frozen broker must not block every caller.
type socket struct {
	*asyncconn.Conn
	number uint64
	lost   func(number uint64)
	done   chan struct{}
	once   sync.Once
}

// newSocket returns a socket. Close calls lost once.
func newSocket(c net.Conn, number uint64, lost func(uint64)) *socket {
	return &socket{Conn: asyncconn.New(c, stall), number: number, lost: lost, done: make(chan struct{})}
}

// SetWriteDeadline does nothing: the writer has its own.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is for reading alone.
func (s *socket) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

func (s *socket) Close() error {
	var err error
	s.once.Do(func() {
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

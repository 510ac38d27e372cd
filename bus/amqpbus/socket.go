package amqpbus

import (
	"bufio"
	"net"
	"time"

	"github.com/muster-fleet/muster/bus/internal/asyncconn"
)

const (
	// hardLimit is how many bytes may be unsent before answers, which cannot
	// wait, are dropped.
	hardLimit = 64 << 20
	// readSize is how much one read takes from the socket.
	readSize = 64 << 10
	// flushOnClose is how long Close waits for unsent bytes.
	flushOnClose = 250 * time.Millisecond
)

// socket is the connection below the client library: asynchronous writes, and
// reads in large pieces.
type socket struct {
	*asyncconn.Conn
	in *bufio.Reader
	// detach unties the connection from the context it was dialled with. It
	// returns false if that context has ended.
	detach func() bool
}

func newSocket(conn net.Conn) *socket {
	return &socket{Conn: asyncconn.New(conn, 0), in: bufio.NewReaderSize(conn, readSize)}
}

// Read is for one goroutine.
func (s *socket) Read(p []byte) (int, error) { return s.in.Read(p) }

// Close waits up to flushOnClose for unsent bytes, and closes.
func (s *socket) Close() error { return s.CloseWithin(flushOnClose) }

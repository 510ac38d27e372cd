package rtc

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/connlimit"
)

const (
	// mostIdle is how many connections there may be without a relay.
	mostIdle = 512
	// slowTime is how long a client may take to receive what is sent to it.
	slowTime = 10 * time.Second
	// acceptAgain is the pause after a connection that could not be accepted.
	acceptAgain = 100 * time.Millisecond
)

// turnConns are the TCP connections of a TURN server. Of those without a relay the
// oldest make room for others.
type turnConns struct {
	idle *connlimit.Set

	mu   sync.Mutex
	all  map[addrs]*turnConn
	over bool
}

// addrs name a connection.
type addrs struct{ remote, local string }

func newTURNConns() *turnConns {
	return &turnConns{idle: connlimit.New(mostIdle), all: map[addrs]*turnConn{}}
}

func (s *turnConns) add(c *turnConn) {
	s.mu.Lock()
	over := s.over
	s.all[c.addrs()] = c
	s.mu.Unlock()
	s.idle.Add(c)
	if over {
		_ = c.Close()
	}
}

func (s *turnConns) remove(c *turnConn) {
	s.mu.Lock()
	if s.all[c.addrs()] == c {
		delete(s.all, c.addrs())
	}
	s.mu.Unlock()
	s.idle.Remove(c)
}

// allocated says whether a connection has a relay.
func (s *turnConns) allocated(remote, local net.Addr, has bool) {
	s.mu.Lock()
	c := s.all[addrs{remote.String(), local.String()}]
	s.mu.Unlock()
	switch {
	case c == nil: // over UDP, or closed
	case has:
		s.idle.Remove(c)
	default:
		s.idle.Add(c)
	}
}

// close closes all of them.
func (s *turnConns) close() {
	s.mu.Lock()
	s.over = true
	all := slices.Collect(maps.Values(s.all))
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// turnListener accepts connections of a TURN server.
type turnListener struct {
	net.Listener
	tls   *tls.Config // nil is none
	conns *turnConns
	log   *slog.Logger
}

// Accept fails only when the listener is closed: after any other error, such as
// that of too many open files, pion would not call it again.
func (l *turnListener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		switch {
		case err == nil:
			c := &turnConn{Conn: raw, raw: raw, conns: l.conns}
			if l.tls != nil {
				c.Conn = tls.Server(raw, l.tls)
			}
			l.conns.add(c)
			return c, nil
		case errors.Is(err, net.ErrClosed):
			return nil, err
		}
		l.log.Warn("TURN: connection not accepted", "err", err)
		time.Sleep(acceptAgain)
	}
}

// turnConn is a connection of a client. pion does not see that it is of TLS:
// otherwise it would leave those open whose handshake fails.
type turnConn struct {
	net.Conn
	raw   net.Conn
	conns *turnConns
}

func (c *turnConn) addrs() addrs {
	return addrs{c.raw.RemoteAddr().String(), c.raw.LocalAddr().String()}
}

// Write closes the connection if the client does not receive.
func (c *turnConn) Write(b []byte) (int, error) {
	_ = c.raw.SetWriteDeadline(time.Now().Add(slowTime))
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

// Close does not wait for the client, as TLS would.
func (c *turnConn) Close() error {
	c.conns.remove(c)
	return c.raw.Close()
}

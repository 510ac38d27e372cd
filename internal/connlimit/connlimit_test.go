package connlimit

import (
	"net"
	"testing"
	"time"
)

func pipe(t *testing.T) net.Conn {
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	return a
}

func isClosed(c net.Conn) bool {
	err := c.SetDeadline(time.Time{})
	return err != nil
}

func TestTheOldestMakesRoom(t *testing.T) {
	s := New(2)
	a, b, c, d := pipe(t), pipe(t), pipe(t), pipe(t)
	for _, conn := range []net.Conn{a, b, a, c} { // a is newer than b then
		s.Add(conn)
	}
	if isClosed(a) || !isClosed(b) || isClosed(c) {
		t.Error("want b closed, and no other")
	}
	s.Remove(a)
	s.Remove(b)
	s.Add(d)
	if isClosed(a) || isClosed(c) || isClosed(d) {
		t.Error("one was closed though there was room")
	}
}

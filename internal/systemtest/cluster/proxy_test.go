package cluster

import (
	"context"
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echoServer sends back what it gets.
func echoServer(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestProxyPassesNothingWhileAValveIsShut(t *testing.T) {
	target, v := echoServer(t), newValve()
	p, err := newProxy(func() string { return target }, func(first []byte) ([]*valve, bool) {
		return []*valve{v}, len(first) > 1
	})
	if err != nil {
		t.Fatal(err)
	}
	p.start()
	defer p.close()
	conn, err := net.Dial("tcp", p.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	echoed := func(text string) {
		t.Helper()
		got := make([]byte, len(text))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
			t.Fatalf("got %q, %v; want %q", got, err, text)
		}
	}
	send := func(text string) {
		t.Helper()
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	send("he")
	send("llo")
	echoed("hello")
	v.turn(false)
	send("again")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if v.pass(over) {
		t.Fatal("a valve that is shut lets something pass")
	}
	v.turn(true)
	echoed("again")
	v.turn(false) // close must not wait for it
}

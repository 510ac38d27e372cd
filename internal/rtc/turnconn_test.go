package rtc

import (
	"log/slog"
	"net"
	"os"
	"syscall"
	"testing"
)

// tired is a listener that first says that too many files are open.
type tired struct {
	net.Listener
	said bool
}

func (l *tired) Accept() (net.Conn, error) {
	if !l.said {
		l.said = true
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// pion would not call Accept again after an error.
func TestTURNListenerGoesOn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	c, err := (&turnListener{Listener: &tired{Listener: l}, conns: newTURNConns(), log: slog.New(slog.DiscardHandler)}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

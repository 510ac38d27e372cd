package natsserver

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

const anyPort = "127.0.0.1:0"

func TestPortTaken(t *testing.T) {
	before := goleak.IgnoreCurrent()
	l, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()
	_, err = Start(Options{Listen: addr})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v, want EADDRINUSE", err)
	}
	for _, part := range []string{addr, "--listen", "--url nats://" + addr} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not speak of %q: %v", part, err)
		}
	}
	goleak.VerifyNone(t, before)
}

func TestBadListen(t *testing.T) {
	for _, listen := range []string{"4222", "127.0.0.1", "127.0.0.1:nats", "127.0.0.1:-1", "127.0.0.1:70000", "256.0.0.1:0"} {
		if _, err := Start(Options{Listen: listen}); err == nil || !strings.Contains(err.Error(), listen) {
			t.Errorf("%s: %v", listen, err)
		}
	}
	_, err := Start(Options{Listen: anyPort, Cluster: &Cluster{Name: "c", Listen: "x"}})
	if err == nil {
		t.Error("a cluster listens on x")
	}
	_, err = Start(Options{Listen: anyPort, Cluster: &Cluster{Name: "c", Listen: anyPort, Routes: []string{"nats://u:SEC RET@h"}}})
	if err == nil || strings.Contains(err.Error(), "SEC") || !strings.Contains(err.Error(), "route number 1") {
		t.Errorf("a bad route: %v", err)
	}
}

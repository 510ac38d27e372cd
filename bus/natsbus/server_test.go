package natsbus

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"go.uber.org/goleak"
)

const anyPort = "127.0.0.1:0"

// roundTrip serves and calls over a connection.
func roundTrip(t testing.TB, c *Conn) {
	t.Helper()
	serveT(t, c, "s", func(r *bus.Request) { r.Reply(r.Args[0]) })
	raw, err := c.Call(within(t), "s", "x", "hello")
	if err != nil || string(raw) != `"hello"` {
		t.Errorf("got %s, %v", raw, err)
	}
}

func TestServerURL(t *testing.T) {
	s := startT(t, natsserver.Options{Listen: "0.0.0.0:0"})
	defer s.Close()
	if !strings.HasPrefix(s.URL(), "nats://127.0.0.1:") {
		t.Errorf("URL %s", s.URL())
	}
	c := dialT(t, bus.Options{URL: s.URL()})
	defer c.Close()
	roundTrip(t, c)
}

func TestInProcess(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := startT(t, natsserver.Options{Listen: anyPort, User: "u", Password: "SECRET"})
	c, err := DialInProcess(within(t), s, bus.Options{Name: "inside"})
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, c)
	outside := dialT(t, bus.Options{URL: s.URL(), User: "u", Password: "SECRET"})
	if raw, err := outside.Call(within(t), "s", "x", 1); err != nil || string(raw) != "1" {
		t.Errorf("from outside: %s, %v", raw, err)
	}
	outside.Close()
	c.Close()
	s.Close()
	goleak.VerifyNone(t, before)
}

func TestInProcessServerGone(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := startT(t, natsserver.Options{Listen: anyPort})
	c, err := DialInProcess(within(t), s, bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	down := make(chan struct{})
	stop := c.Watch(func(st bus.Status) {
		if !st.Connected {
			close(down)
		}
	})
	s.Close()
	<-down
	stop()
	if _, err := c.Call(within(t), "s", "x"); !errors.Is(err, bus.ErrDisconnected) {
		t.Errorf("got %v", err)
	}
	c.Close()
	if _, err := DialInProcess(within(t), s, bus.Options{}); err == nil {
		t.Error("a server that is gone was reached")
	}
	goleak.VerifyNone(t, before)
}

func TestUserAndPassword(t *testing.T) {
	var log journal
	s := startT(t, natsserver.Options{Listen: anyPort, User: "me", Password: "SECRET", Logger: log.logger()})
	defer s.Close()
	host := strings.TrimPrefix(s.URL(), "nats://")
	if strings.Contains(s.URL(), "SECRET") {
		t.Errorf("URL %s", s.URL())
	}
	for _, o := range []bus.Options{
		{URL: s.URL(), User: "me", Password: "SECRET"},
		{URL: "nats://me:SECRET@" + host},
		{URL: "nats://x:y@" + host, User: "me", Password: "SECRET"},
	} {
		o.Logger = log.logger()
		c := dialT(t, o)
		roundTrip(t, c)
		c.Close()
	}
	for _, o := range []bus.Options{
		{URL: s.URL()}, {URL: s.URL(), User: "me", Password: "SECRETx"}, {URL: "nats://me:xSECRET@" + host}, {URL: "nats://SECRET@" + host},
	} {
		o.Logger = log.logger()
		_, err := Dial(within(t), o)
		if err == nil || !strings.Contains(err.Error(), "check user and password") || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("wrong credentials: %v", err)
		}
	}
	if log.String() == "" || strings.Contains(log.String(), "SECRET") {
		t.Errorf("the log:\n%s", log.String())
	}
}

// TestSecretsAfterALoss: what is logged when the connection breaks and comes
// back holds no password either.
func TestSecretsAfterALoss(t *testing.T) {
	var log journal
	addr := freePort(t)
	o := natsserver.Options{Listen: addr, User: "me", Password: "SECRET", Logger: log.logger()}
	s := startT(t, o)
	c := dialT(t, bus.Options{URL: "nats://me:SECRET@" + addr, Logger: log.logger()})
	status := make(chan bus.Status, 10)
	c.Watch(func(st bus.Status) { status <- st })
	<-status
	s.Close()
	if st := <-status; strings.Contains(st.String(), "SECRET") {
		t.Errorf("status %v", st)
	}
	_, err := c.Call(within(t), "s", "x")
	if err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("call: %v", err)
	}
	s = startT(t, o)
	<-status
	c.Close()
	s.Close()
	for _, line := range []string{"connection lost", "connected again"} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log lacks %q", line)
		}
	}
	if strings.Contains(log.String(), "SECRET") {
		t.Errorf("the log:\n%s", log.String())
	}
}

func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	s := startT(t, natsserver.Options{Listen: anyPort, TLS: &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "server")}}})
	defer s.Close()
	if !strings.HasPrefix(s.URL(), "tls://") {
		t.Errorf("URL %s", s.URL())
	}
	trusting := &tls.Config{RootCAs: ca.pool}
	for _, url := range []string{s.URL(), strings.Replace(s.URL(), "tls:", "nats:", 1)} {
		c := dialT(t, bus.Options{URL: url, TLS: trusting})
		roundTrip(t, c)
		c.Close()
	}
	for what, o := range map[string]bus.Options{
		"the system's authorities": {URL: s.URL()},
		"another authority":        {URL: s.URL(), TLS: &tls.Config{RootCAs: newAuthority(t).pool}},
		"another name":             {URL: s.URL(), TLS: &tls.Config{RootCAs: ca.pool, ServerName: "elsewhere"}},
	} {
		if _, err := Dial(within(t), o); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", what, err)
		}
	}
	inside, err := DialInProcess(within(t), s, bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, inside)
	inside.Close()
}

func TestTLSIsNotDropped(t *testing.T) {
	s := startT(t, natsserver.Options{Listen: anyPort})
	defer s.Close()
	url := strings.Replace(s.URL(), "nats:", "tls:", 1)
	if _, err := Dial(within(t), bus.Options{URL: url}); err == nil {
		t.Error("connected without TLS where it was asked for")
	}
}

func TestClientCertificates(t *testing.T) {
	ca := newAuthority(t)
	s := startT(t, natsserver.Options{Listen: anyPort, TLS: &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, "server")}, ClientCAs: ca.pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}})
	defer s.Close()
	c := dialT(t, bus.Options{URL: s.URL(), TLS: &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{ca.issue(t, "client")}}})
	roundTrip(t, c)
	c.Close()
	stranger := newAuthority(t).issue(t, "stranger")
	for what, certs := range map[string][]tls.Certificate{"none": nil, "a stranger's": {stranger}} {
		if c, err := Dial(within(t), bus.Options{URL: s.URL(), TLS: &tls.Config{RootCAs: ca.pool, Certificates: certs}}); err == nil {
			c.Close()
			t.Errorf("let in with certificate: %s", what)
		}
	}
}

// TestCluster: servers of one cluster are one queue, and a client goes on at
// another one.
func TestCluster(t *testing.T) {
	route := freePort(t)
	one := startT(t, natsserver.Options{Listen: anyPort, Cluster: &natsserver.Cluster{Name: "c", Listen: route}})
	two := startT(t, natsserver.Options{Listen: anyPort, Cluster: &natsserver.Cluster{Name: "c", Listen: anyPort, Routes: []string{"nats://" + route}}})
	defer two.Close()
	server, caller := dialT(t, bus.Options{URL: two.URL()}), dialT(t, bus.Options{URL: one.URL() + "," + two.URL()})
	defer server.Close()
	defer caller.Close()
	serveT(t, server, "s", func(r *bus.Request) { r.Reply(r.Args[0]) })
	heard := make(chan string, 1)
	if _, err := server.Subscribe(within(t), "t", "#", func(key string, _ json.RawMessage) { heard <- key }); err != nil {
		t.Fatal(err)
	}
	callUntilAnswered(t, caller, 1)
	up := make(chan bus.Status, 10)
	caller.Watch(func(st bus.Status) { up <- st })
	first := caller.nc.Load().ConnectedUrl()
	one.Close()
	if first != two.URL() {
		for st := range up {
			if st.Connected && caller.nc.Load().ConnectedUrl() != first {
				break
			}
		}
	}
	callUntilAnswered(t, caller, 2)
	if err := caller.Publish(within(t), "t", "k", 1); err != nil {
		t.Fatal(err)
	}
	if key := <-heard; key != "k" {
		t.Errorf("heard %q", key)
	}
}

// callUntilAnswered waits for the servers of a cluster to find each other.
func callUntilAnswered(t testing.TB, c *Conn, arg int) {
	t.Helper()
	ctx := within(t)
	for ctx.Err() == nil {
		raw, err := c.Call(ctx, "s", "x", arg)
		if err == nil {
			if string(raw) != fmt.Sprint(arg) {
				t.Fatalf("got %s", raw)
			}
			return
		}
		if !errors.Is(err, bus.ErrNoServer) && !errors.Is(err, bus.ErrDisconnected) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	t.Fatal("the servers did not find each other")
}

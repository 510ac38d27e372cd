package natsbus

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
)

// clusterPassword is what the servers of a test's cluster ask of each other.
const clusterPassword = "k7VQdY2mXo"

// peer is a server of a cluster, and a connection to it.
type peer struct {
	server *natsserver.Server
	log    *journal
	conn   *Conn
	listen string // for the other servers
}

func startPeer(t *testing.T, from *authority, password string, routes ...string) *peer {
	t.Helper()
	cert := from.issue(t, "server")
	p := &peer{log: &journal{}, listen: freePort(t)}
	var err error
	p.server, err = natsserver.Start(natsserver.Options{
		Listen: "127.0.0.1:0",
		Cluster: &natsserver.Cluster{
			Name: "c", Listen: p.listen, Routes: routes, User: "route", Password: password,
			TLS: &tls.Config{
				Certificates: []tls.Certificate{cert}, RootCAs: from.pool, ClientCAs: from.pool,
				ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
			},
		},
		Logger: p.log.logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.server.Close() })
	p.conn, err = Dial(t.Context(), bus.Options{URL: p.server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.conn.Close() })
	return p
}

// asks calls the server "s" once, through this peer.
func (p *peer) asks(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := p.conn.Call(ctx, "s", "m")
	return err
}

// Servers form a cluster over TLS where each knows the password and has a
// certificate of the authority. Others stay outside, are named in the log, and no
// log has the password.
func TestClusterRoutes(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	first := startPeer(t, ours, clusterPassword)
	if _, err := first.conn.Serve(t.Context(), "s", func(r *bus.Request) { r.Reply("answer") }); err != nil {
		t.Fatal(err)
	}
	route := "nats://" + first.listen
	peers := map[string]*peer{
		"a member":                     startPeer(t, ours, clusterPassword, route),
		"a wrong password":             startPeer(t, ours, "wrong"+clusterPassword, route),
		"a certificate of another one": startPeer(t, theirs, clusterPassword, route),
	}
	until := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("in vain: %s; the first server logs\n%s", what, first.log)
			}
		}
	}
	until("the member reaches what the first serves", func() bool { return peers["a member"].asks(t.Context()) == nil })
	until("the refused password is logged", func() bool { return strings.Contains(first.log.String(), "authentication error") })
	until("the refused certificate is logged", func() bool { return strings.Contains(first.log.String(), "TLS route handshake error") })
	for name, p := range peers {
		if err := p.asks(t.Context()); (err == nil) != (name == "a member") || err != nil && !errors.Is(err, bus.ErrNoServer) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(p.log.String()+first.log.String(), clusterPassword) {
			t.Errorf("%s: the password is in a log", name)
		}
	}
}

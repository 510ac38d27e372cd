package rtc

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"github.com/muster-fleet/muster/internal/roomtoken"
)

// However much relays send, what comes over the network has its turn.
func TestNetworkHasItsTurnBesideRelays(t *testing.T) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c := newRelays(1, 1).attach(plainConn{socket}, "127.0.0.1").(*relayedConn)
	defer func() { _ = c.Close() }()
	other, err := net.Dial("udp4", socket.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	from := netip.AddrPortFrom(relayIPv4, 1)
	buffer := make([]byte, 100)
	for range 3 {
		if _, err := other.Write([]byte("network")); err != nil {
			t.Fatal(err)
		}
		relayed := 0
		for {
			c.arrive(newDatagram([]byte("relay"), from))
			c.arrive(newDatagram([]byte("relay"), from))
			n, at, err := c.ReadFromAddrPort(buffer)
			if err != nil {
				t.Fatal(err)
			}
			if string(buffer[:n]) == "network" {
				break
			}
			if relayed++; at != from || relayed > 10*relayBurst {
				t.Fatalf("%d packets of relays, and none of the network", relayed)
			}
		}
	}
}

// Credentials that have expired make no relay; one that is there goes on.
func TestRelayOutlivesItsCredentials(t *testing.T) {
	key, _ := roomtoken.NewKey([]byte("a secret of sixteen bytes or more"))
	s := &turnServer{key: key, relays: newRelays(1, 1), log: slog.New(slog.DiscardHandler)}
	username, password := key.TURN("alice", time.Now().Add(-time.Hour))
	if _, _, ok := s.authenticate(&turn.RequestAttributes{Username: username, Realm: realm, Method: stun.MethodAllocate}); ok {
		t.Error("a relay is made")
	}
	for _, method := range []stun.Method{stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind} {
		user, secret, ok := s.authenticate(&turn.RequestAttributes{Username: username, Realm: realm, Method: method})
		if !ok || user != "alice" || string(secret) != string(turn.GenerateAuthKey(username, realm, password)) {
			t.Errorf("%v is refused", method)
		}
	}
}

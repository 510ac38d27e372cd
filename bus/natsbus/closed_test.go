package natsbus

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/muster-fleet/muster/bus"
)

// middleman stands between a client and a server, and can speak for the server.
type middleman struct {
	net.Listener
	to string

	mu      sync.Mutex
	clients []net.Conn
}

func startMiddleman(t *testing.T, to string) *middleman {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &middleman{Listener: l, to: to}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", m.to)
			if err != nil {
				c.Close()
				continue
			}
			m.mu.Lock()
			m.clients = append(m.clients, c)
			m.mu.Unlock()
			go func() { _, _ = io.Copy(s, c); s.Close() }()
			go func() { _, _ = io.Copy(c, s); c.Close() }()
		}
	}()
	return m
}

// say sends an error to the newest client, and ends the connection.
func (m *middleman) say(t *testing.T, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	newest := m.clients[len(m.clients)-1]
	if _, err := newest.Write([]byte("-ERR '" + text + "'\r\n")); err != nil {
		t.Fatal(err)
	}
	newest.Close()
}

// TestClosedForGood: whatever a server ends a connection with, the next one has
// all that was served and subscribed. (A real server's last words are often lost
// with the connection that it breaks; nats.go then connects again by itself.)
func TestClosedForGood(t *testing.T) {
	for _, text := range []string{
		"Maximum Payload Violation", "Maximum Control Line Exceeded", "Unknown Protocol Operation", "Stale Connection",
		"Maximum Connections Exceeded", "User Authentication Expired", "User Authentication Revoked", "Authorization Violation",
		"Something That Is New",
	} {
		t.Run(text, func(t *testing.T) {
			s := startOutside(t, server.Options{})
			between := startMiddleman(t, strings.TrimPrefix(s.nats.ClientURL(), "nats://"))
			m := newMember(t, bus.Options{URL: "nats://" + between.Addr().String()})
			between.say(t, text)
			m.await(t, false)
			m.await(t, true)
			m.works(t)
		})
	}
}

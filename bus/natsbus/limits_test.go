package natsbus

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/bus"
)

// outsideServer is a NATS server as others run it, whose options change while
// it runs.
type outsideServer struct {
	t    *testing.T
	nats *server.Server
	opts server.Options
}

func startOutside(t *testing.T, opts server.Options) *outsideServer {
	t.Helper()
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(opts.Clone())
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not start")
	}
	return &outsideServer{t: t, nats: s, opts: opts}
}

func (s *outsideServer) reload(change func(*server.Options)) {
	s.t.Helper()
	change(&s.opts)
	if err := s.nats.ReloadOptions(s.opts.Clone()); err != nil {
		s.t.Fatal(err)
	}
}

// member is a Conn that uses all that a Conn has.
type member struct {
	*Conn
	heard  chan string
	status chan bus.Status
}

func newMember(t *testing.T, o bus.Options) *member {
	t.Helper()
	m := &member{Conn: dialT(t, o), heard: make(chan string, 100), status: make(chan bus.Status, 100)}
	t.Cleanup(func() { m.Close() })
	serveT(t, m.Conn, "served", func(r *bus.Request) { r.Reply(len(r.Args)) })
	post, err := m.JoinGroup(within(t), "led", func(r *bus.Request) { r.Reply("led") })
	if err == nil {
		err = post.Lead(within(t), 1)
	}
	if err == nil {
		_, err = m.Subscribe(within(t), "topic", "#", func(key string, _ json.RawMessage) { m.heard <- key })
	}
	if err != nil {
		t.Fatal(err)
	}
	m.Watch(func(st bus.Status) { m.status <- st })
	m.await(t, true)
	return m
}

func (m *member) await(t *testing.T, connected bool) {
	t.Helper()
	select {
	case st := <-m.status:
		if st.Connected != connected {
			t.Fatalf("status %v", st)
		}
	case <-within(t).Done():
		t.Fatalf("the connection is not reported to be up: %v", connected)
	}
}

// works checks that all of it is there.
func (m *member) works(t *testing.T) {
	t.Helper()
	for name, want := range map[string]string{"served": "1", "led": `"led"`} {
		if raw, err := m.Call(within(t), name, "x", 1); err != nil || string(raw) != want {
			t.Errorf("%s: %s, %v", name, raw, err)
		}
	}
	if err := m.Publish(within(t), "topic", "k", 1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-m.heard:
	case <-within(t).Done():
		t.Error("the listener is deaf")
	}
}

// TestLimitsLowered: a server that ends the connection for good, as nats.go has
// it, is connected to anew, with all that was served and subscribed.
func TestLimitsLowered(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for name, c := range map[string]struct {
		lower, raise func(*server.Options)
		provoke      func(*testing.T, *member)
	}{
		"max_payload": {
			lower:   func(o *server.Options) { o.MaxPayload = 2000 },
			provoke: func(t *testing.T, m *member) { _ = m.Cast(within(t), "served", "x", long) },
		},
		"max_control_line": {
			lower:   func(o *server.Options) { o.MaxControlLine = 300 },
			provoke: func(t *testing.T, m *member) { _ = m.Cast(within(t), strings.Repeat("n", 800), "x") },
		},
		// The connection is refused until there is room again.
		"max_connections": {
			lower: func(o *server.Options) { o.MaxConn = -1 },
			raise: func(o *server.Options) { o.MaxConn = 100 },
		},
		"password": {
			lower: func(o *server.Options) { o.Username, o.Password = "u", "q" },
			raise: func(o *server.Options) { o.Username, o.Password = "u", "p" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			s := startOutside(t, server.Options{Username: "u", Password: "p"})
			m := newMember(t, bus.Options{URL: s.nats.ClientURL(), User: "u", Password: "p"})
			s.reload(c.lower)
			if c.provoke != nil {
				c.provoke(t, m)
			}
			m.await(t, false)
			if c.raise != nil {
				s.reload(c.raise)
			}
			m.await(t, true)
			m.works(t)
			m.Close()
			s.nats.Shutdown()
			s.nats.WaitForShutdown()
			goleak.VerifyNone(t, before)
		})
	}
}

// TestLimitLoweredAgainAndAgain: one replacement follows another.
func TestLimitLoweredAgainAndAgain(t *testing.T) {
	s := startOutside(t, server.Options{})
	m := newMember(t, bus.Options{URL: s.nats.ClientURL()})
	for limit := int32(9000); limit > 3000; limit -= 2000 {
		s.reload(func(o *server.Options) { o.MaxPayload = limit })
		_ = m.Cast(within(t), "served", "x", strings.Repeat("x", int(limit)))
		m.await(t, false)
		m.await(t, true)
		m.works(t)
	}
	_, err := m.Call(within(t), "served", "x", strings.Repeat("x", 9000))
	if !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("a body over the limit: %v", err)
	}
}

// TestCloseWhileReplacing: Close does not wait for a server that is gone for
// good.
func TestCloseWhileReplacing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := startOutside(t, server.Options{})
	m := newMember(t, bus.Options{URL: s.nats.ClientURL()})
	s.reload(func(o *server.Options) { o.MaxControlLine = 20 }) // not even CONNECT is taken
	_ = m.Cast(within(t), "a name of some length", "x")
	m.await(t, false)
	m.Close()
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
	goleak.VerifyNone(t, before)
}

// TestRefusedIsLoggedAtGrowingIntervals: a server that refuses each attempt does
// not fill the log.
func TestRefusedIsLoggedAtGrowingIntervals(t *testing.T) {
	var log journal
	s := startOutside(t, server.Options{Username: "u", Password: "p"})
	m := newMember(t, bus.Options{URL: s.nats.ClientURL(), User: "u", Password: "p", Logger: log.logger()})
	s.reload(func(o *server.Options) { o.Password = "q" })
	m.await(t, false)
	const attempts = 12
	for before := m.wire.number(); m.wire.number() < before+attempts; {
		time.Sleep(10 * time.Millisecond)
		if within(t).Err() != nil {
			t.Fatal("it does not try again")
		}
	}
	m.Close()
	if n := strings.Count(log.String(), "authorization violation"); n == 0 || n > 10 {
		t.Errorf("%d attempts are logged %d times:\n%s", attempts, n, log.String())
	}
}

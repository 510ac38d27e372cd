package manager

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// scriptedReplica is a replica whose role the test sets. It shares its state with
// no other.
type scriptedReplica struct {
	*replica.Local
	ready mailbox.Signal

	mu   sync.Mutex
	next replica.Role
	role replica.Role // of the owner
}

func newScripted(kind replica.RoleKind, term uint64) *scriptedReplica {
	role := replica.Role{Kind: kind, Term: term}
	return &scriptedReplica{
		Local: replica.NewLocal(state.DefaultConfig()), ready: mailbox.NewSignal(), next: role, role: role,
	}
}

// become gives it another role.
func (p *scriptedReplica) become(kind replica.RoleKind, term uint64) {
	p.mu.Lock()
	p.next = replica.Role{Kind: kind, Term: term}
	p.mu.Unlock()
	p.ready.Raise()
}

func (p *scriptedReplica) Ready() <-chan struct{} { return p.ready }

func (p *scriptedReplica) Apply() {
	p.mu.Lock()
	p.role = p.next
	p.mu.Unlock()
}

func (p *scriptedReplica) Role() replica.Role { return p.role }

func (p *scriptedReplica) Propose(batch ...replica.Proposal) {
	if p.role.Kind == replica.Leader {
		p.Local.Propose(batch...)
		return
	}
	for _, one := range batch {
		one.Done(state.Result{}, nil, replica.NotLeaderError{})
	}
}

func (p *scriptedReplica) Read(f func(*state.State, error)) {
	if p.role.Kind == replica.Leader {
		p.Local.Read(f)
		return
	}
	f(p.State(), replica.NotLeaderError{})
}

// queues are real message queues, by name: each returns connections.
var queues = map[string]func(*testing.T) func() bus.Conn{
	"nats": func(t *testing.T) func() bus.Conn {
		server, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		return dialer(t, func(ctx context.Context) (bus.Conn, error) {
			return natsbus.Dial(ctx, bus.Options{URL: server.URL()})
		})
	},
	"rabbitmq": func(t *testing.T) func() bus.Conn {
		url := rabbit.Broker(t).URL()
		return dialer(t, func(ctx context.Context) (bus.Conn, error) {
			return amqpbus.Dial(ctx, bus.Options{URL: url})
		})
	},
}

func dialer(t *testing.T, dial func(context.Context) (bus.Conn, error)) func() bus.Conn {
	return func() bus.Conn {
		ctx, cancel := context.WithTimeout(context.Background(), healthy)
		defer cancel()
		conn, err := dial(ctx)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
}

// healthy bounds what a test waits for. A healthy run never comes near it.
const healthy = 30 * time.Second

func onEachQueue(t *testing.T, test func(t *testing.T, dial func() bus.Conn)) {
	for name, start := range queues {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// shortly is how long managers of tests wait before they serve stale reads.
const shortly = 40 * time.Millisecond

// begin runs a manager on the scripted replica.
func (p *scriptedReplica) begin(t *testing.T, conn bus.Conn) *Manager {
	t.Helper()
	opts := DefaultOptions()
	opts.Cluster, opts.Replica = t.Name(), p
	opts.InitialTime, opts.StaleAfter = 0, shortly
	opts.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	m, err := Start(context.Background(), conn, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// asker asks the managers, and keeps what was said of the age of the answers.
type asker struct {
	t    *testing.T
	conn bus.Conn
	ages []time.Duration
}

// ask calls until somebody answers, and returns the answer or the refusal.
func (a *asker) ask(method string, args ...any) string {
	a.t.Helper()
	end := time.Now().Add(healthy)
	for time.Now().Before(end) {
		answer, err := a.try(2*time.Second, method, args...)
		if err == nil {
			return answer
		}
	}
	a.t.Fatalf("%s is not answered", method)
	return ""
}

func (a *asker) try(limit time.Duration, method string, args ...any) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ctx = bus.OnStale(ctx, func(age time.Duration) { a.ages = append(a.ages, age) })
	raw, err := a.conn.Call(ctx, a.t.Name(), method, args...)
	return string(raw), err
}

// stale reports whether an answer was marked since the last call.
func (a *asker) stale() bool {
	n := len(a.ages)
	a.ages = nil
	return n > 0
}

// until asks until the answer, and whether it is marked, are as wanted.
func (a *asker) until(stale bool, want, method string, args ...any) {
	a.t.Helper()
	end := time.Now().Add(healthy)
	for time.Now().Before(end) {
		if got := a.ask(method, args...); a.stale() == stale && got == want {
			return
		}
	}
	a.t.Fatalf("%s is never answered %s (stale: %v)", method, want, stale)
}

// info is what workers of tests join with.
var info = json.RawMessage(testInfo)

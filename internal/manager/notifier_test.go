package manager

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/raft"
	"github.com/muster-fleet/muster/internal/state"
)

// muted is a connection over which no notice leaves while it is mute.
type muted struct {
	bus.Conn
	mute   atomic.Bool
	failed mailbox.Signal
}

func mute(conn bus.Conn) *muted { return &muted{Conn: conn, failed: mailbox.NewSignal()} }

func (m *muted) Publish(ctx context.Context, topic, key string, body any) error {
	if topic == bus.TopicMonitoring && m.mute.Load() {
		m.failed.Raise()
		return errors.New("mute")
	}
	return m.Conn.Publish(ctx, topic, key, body)
}

// exits hears who is told to be gone.
func exits(t *testing.T, conn bus.Conn) <-chan bus.Exit {
	t.Helper()
	told := make(chan bus.Exit, 64)
	_, err := conn.Subscribe(context.Background(), bus.TopicMonitoring, "exit.quit", func(_ string, body json.RawMessage) {
		var e bus.Exit
		if json.Unmarshal(body, &e) == nil {
			told <- e
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// teammate is a manager of several that agree by Raft.
type teammate struct {
	conn    *muted
	replica *raft.Replica
	manager *Manager
	dead    bool
}

func startTeam(t *testing.T, dial func() bus.Conn, n int) []*teammate {
	t.Helper()
	listeners, addrs := make([]net.Listener, n), make([]string, n)
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i], addrs[i] = l, l.Addr().String()
	}
	var team []*teammate
	for i, addr := range addrs {
		opts := raft.DefaultOptions()
		opts.Addr, opts.Peers, opts.Listener, opts.Secret = addr, addrs, listeners[i], []byte("sixteen bytes and more")
		replica, err := raft.Start(opts)
		if err != nil {
			t.Fatal(err)
		}
		m := &teammate{conn: mute(dial()), replica: replica}
		manage := DefaultOptions()
		manage.Cluster, manage.Replica, manage.InitialTime, manage.CheckAliveInterval = t.Name(), replica, 0, shortly
		manage.CheckAliveCount = 1_000_000
		manage.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
		if m.manager, err = Start(context.Background(), m.conn, manage); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.kill)
		team = append(team, m)
	}
	return team
}

// kill ends it without a word to the others.
func (m *teammate) kill() {
	if !m.dead {
		m.dead = true
		_ = m.replica.Close()
		_ = m.manager.Close()
	}
}

// look asks where the state is owned; known tells whether the worker is in it,
// and was counted.
func (m *teammate) look(t *testing.T, worker string) (role replica.RoleKind, known bool) {
	t.Helper()
	if err := m.manager.callOwner(context.Background(), func(c *core) {
		role = c.role.Kind
		_, known = c.departures.seen[worker]
	}); err != nil {
		t.Fatal(err)
	}
	return role, known
}

// A leader dies after a worker's loss was decided and before it could tell. The
// next one does.
func TestNextLeaderTellsWhoIsGone(t *testing.T) {
	dial := queues["nats"](t)
	team := startTeam(t, dial, 3)
	told := exits(t, dial())
	a := &asker{t: t, conn: dial()}
	a.ask("join", "sip", "stays", info)
	a.ask("join", "sip", "goes", info)
	var leader *teammate
	for _, m := range team {
		for role, known := m.look(t, "goes"); !known; role, known = m.look(t, "goes") {
			if role == replica.Leader {
				leader = m
			}
		}
		if role, _ := m.look(t, "goes"); role == replica.Leader {
			leader = m
		}
	}
	leader.conn.mute.Store(true)
	a.ask("quit", "goes")
	<-leader.conn.failed
	select {
	case e := <-told:
		t.Fatalf("told %+v by a manager that is mute", e)
	default:
	}
	leader.kill()
	want := bus.Exit{Reason: "quit", Message: bus.ExitMessage{Purpose: "sip", ID: "goes", Type: "worker"}}
	if got := <-told; got != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
	a.until(false, `["stays"]`, "getWorkers", "all")
}

// A notice that the queue does not take is told again until it does, and those
// after it wait.
func TestNoticesAreToldUntilTheyAre(t *testing.T) {
	dial := queues["nats"](t)
	told := exits(t, dial())
	conn := mute(dial())
	conn.mute.Store(true)
	n := newNotifier(conn, slog.New(slog.DiscardHandler), newMeasures().noticesFailed)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); n.run(ctx) }()
	for _, id := range []string{"a", "b", "c"} {
		n.enqueue(muster.WorkerLeft{Worker: id, Purpose: "sip"})
	}
	<-conn.failed
	<-conn.failed
	conn.mute.Store(false)
	for _, want := range []string{"a", "b", "c"} {
		if got := <-told; got.Message.ID != want {
			t.Errorf("told of %s, want %s", got.Message.ID, want)
		}
	}
	stop()
	<-done
	n.enqueue(muster.WorkerLeft{Worker: "late", Purpose: "sip"})
	n.close()
	if got := <-told; got.Message.ID != "late" {
		t.Errorf("told of %s, want the last one before the end", got.Message.ID)
	}
}

func TestDeparturesAreRememberedForAWhile(t *testing.T) {
	s := state.New(state.DefaultConfig())
	do := func(op state.Op) { s.Apply(state.Command{At: 1000, Op: op}) }
	d := departures{seen: map[string]sighting{}}
	for _, id := range []string{"a", "b", "c", "d"} {
		do(state.Join{Purpose: "sip", Worker: id})
	}
	d.record(s)
	do(state.Quit{Worker: "a"})
	for range departureMemory {
		d.record(s)
	}
	for _, id := range []string{"d", "c", "b"} {
		do(state.Quit{Worker: id})
	}
	d.announced("c")
	ids := func() (ids []string) {
		for _, e := range d.unannounced(s) {
			ids = append(ids, e.Worker+" "+e.Purpose)
		}
		return ids
	}
	if got := ids(); !slices.Equal(got, []string{"a sip", "b sip", "d sip"}) {
		t.Errorf("gone are %v", got)
	}
	if got := ids(); got != nil {
		t.Errorf("gone a second time: %v", got)
	}
	do(state.Join{Purpose: "sip", Worker: "e"})
	d.record(s)
	do(state.Quit{Worker: "e"})
	for range departureMemory + 1 {
		d.record(s)
	}
	if got := ids(); got != nil {
		t.Errorf("gone for long, but remembered: %v", got)
	}
}

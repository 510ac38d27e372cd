package portal

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/conference"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/sfu"
	"github.com/muster-fleet/muster/node"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// house is a cluster with everything that rooms need, in this process: real
// queue, manager, agents and SFU.
type house struct {
	t      *testing.T
	ctx    context.Context
	url    string
	client *client.Client
	key    roomtoken.Key
	// logs is what everything but the agents logs at level Info.
	logs lines
	log  *slog.Logger

	// managers are several that agree by Raft; none where there is one.
	managers []*oneOfManagers

	// regions are those of workers.
	regions map[string][]string

	mu    sync.Mutex
	conns map[string][]bus.Conn // of agents and their nodes, by agent
}

// unplug cuts an agent and its nodes off, as the death of their machine does.
func (h *house) unplug(agent string) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, conn := range h.conns[agent] {
		if err := conn.Close(); err != nil {
			h.t.Error(err)
		}
	}
}

// newHouse has one manager.
func newHouse(t *testing.T) *house {
	t.Helper()
	return newHouseOf(t, 1)
}

func newHouseOf(t *testing.T, managers int) *house {
	t.Helper()
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	h := &house{t: t, ctx: ctx, url: queue.URL(), conns: map[string][]bus.Conn{}, regions: map[string][]string{}}
	h.log = slog.New(slog.NewTextHandler(&h.logs, nil))
	if managers == 1 {
		h.manage(nil)
	} else {
		h.manageTogether(managers)
	}
	h.client = client.New(h.dial(), client.Options{})
	if h.key, err = roomtoken.NewKey([]byte(testKey)); err != nil {
		t.Fatal(err)
	}
	return h
}

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const testKey = "a key for tests, long enough"

func (h *house) dial() bus.Conn {
	conn, err := natsbus.Dial(h.ctx, bus.Options{URL: h.url})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// agent runs an agent whose nodes are goroutines. crash ends the node that it
// has now, as a crash does.
func (h *house) agent(id, purpose string, run func(ctx context.Context, conn bus.Conn, id string, ready func()) error) (crash func()) {
	h.t.Helper()
	crashes := make(chan struct{}, 1)
	conn := h.dial()
	h.mu.Lock()
	h.conns[id] = []bus.Conn{conn}
	h.mu.Unlock()
	a, err := agent.Start(h.ctx, conn, agent.Options{
		Worker: worker.Options{Purpose: purpose, ID: id, Capacity: muster.Capacity{Regions: h.regions[id]}, Labels: map[string]string{room.LabelSFU: id}, Load: load.Func(func() float64 { return 0.1 }), LoadInterval: 50 * time.Millisecond},
		Policy: agent.Policy{Prerun: 1, MaxNodes: 1, ReuseWhenFull: true},
		Launcher: agent.InProcess(func(ctx context.Context, s process.Spec, ready func()) error {
			ctx, stop := context.WithCancelCause(ctx)
			defer stop(nil)
			go func() {
				select {
				case <-crashes:
					stop(errCrash)
				case <-ctx.Done():
				}
			}()
			conn, err := natsbus.Dial(ctx, bus.Options{URL: h.url})
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			h.mu.Lock()
			h.conns[id] = append(h.conns[id], conn)
			h.mu.Unlock()
			err = run(ctx, conn, s.ID, ready)
			if context.Cause(ctx) == errCrash {
				return errCrash
			}
			return err
		}),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = a.Close(ctx)
	})
	h.ready(id)
	return func() { crashes <- struct{}{} }
}

var errCrash = fmt.Errorf("crash of the test")

// ready waits until the manager places tasks on a worker.
func (h *house) ready(id string) {
	h.t.Helper()
	h.until("worker "+id+" is not ready", func() bool {
		all, err := h.client.Workers(h.ctx, "")
		if err != nil {
			return false
		}
		for _, w := range all {
			if w.ID == id && w.Status() == muster.StateReady.String() {
				return true
			}
		}
		return false
	})
}

func (h *house) until(what string, f func() bool) {
	h.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for !f() {
		select {
		case <-again.C:
		case <-late:
			h.t.Fatal(what)
		}
	}
}

func (h *house) conference() (crash func()) {
	return h.agent("conference-1", room.PurposeConference, func(ctx context.Context, conn bus.Conn, id string, ready func()) error {
		c := conference.New(conference.Options{Conn: conn, Client: client.New(conn, client.Options{}), Logger: h.log})
		stop, err := c.WatchExits(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = stop() }()
		return node.Serve(ctx, conn, c, node.Options{ID: id, Agent: "conference-1", Purpose: room.PurposeConference, Methods: c.Methods()}, ready)
	})
}

func (h *house) sfu(worker string) (crash func()) { return h.sfuWith(worker, rtc.Options{}) }

func (h *house) sfuWith(worker string, o rtc.Options) (crash func()) {
	o.Logger = h.log
	return h.agent(worker, room.PurposeSFU, func(ctx context.Context, conn bus.Conn, id string, ready func()) error {
		n, err := sfu.Start(conn, o)
		if err != nil {
			return err
		}
		defer func() { _ = n.Close() }()
		return node.Serve(ctx, conn, n, node.Options{ID: id, Agent: worker, Purpose: room.PurposeSFU, Methods: n.Methods()}, ready)
	})
}

// portal starts one more portal.
func (h *house) portal(id string) *Portal { return h.portalIn(id, "") }

func (h *house) portalIn(id, region string) *Portal {
	h.t.Helper()
	conn := h.dial()
	p, err := Start(Options{Conn: conn, Client: client.New(conn, client.Options{}), Key: h.key, ID: id, Region: region, Listen: "127.0.0.1:0", Logger: h.log})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = p.Close() })
	return p
}

func (h *house) token(user string, role room.Role) string {
	h.t.Helper()
	token, err := h.key.Sign(roomtoken.Claims{Room: "r", User: user, Role: role}, time.Now().Add(time.Hour))
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

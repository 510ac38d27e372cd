package owt

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/owt/election"
	"github.com/muster-fleet/muster/internal/state"
)

// hub is a broker in memory that can lose messages.
type hub struct {
	mu    sync.Mutex
	conns []*hubConn
	said  []spoken
	// answered is for tests that answer.
	answered int
	// lose reports whether a message is lost on its way to a connection; nil loses
	// none.
	lose func(to *hubConn, key string, body string) bool
}

// spoken is a published message.
type spoken struct{ key, body string }

// hubConn is one manager's connection. It implements only the topics of bus.Conn.
type hubConn struct {
	bus.Conn
	hub     *hub
	pattern string
	apart   bool
	blocked chan struct{}
	listen  bus.Listener
	watch   func(bus.Status)
	down    bool
}

func (h *hub) dial() *hubConn {
	c := &hubConn{hub: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = append(h.conns, c)
	return c
}

func (c *hubConn) Publish(_ context.Context, _, key string, body any) error {
	if c.isDown() {
		return bus.ErrDisconnected
	}
	if gate := c.gate(); gate != nil {
		<-gate
	}
	c.hub.carry(c, key, string(body.(json.RawMessage)))
	return nil
}

func (h *hub) setLose(lose func(to *hubConn, key, body string) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lose = lose
}

// split moves a manager to the other half of the broker.
func (h *hub) split(c *hubConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.apart = true
}

// heal makes the broker whole.
func (h *hub) heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		c.apart = false
	}
}

func (c *hubConn) isDown() bool {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	return c.down
}

func (c *hubConn) gate() chan struct{} {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	return c.blocked
}

// block holds back everything sent until the returned function is called.
func (c *hubConn) block() (release func()) {
	gate := make(chan struct{})
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	c.blocked = gate
	return func() {
		c.hub.mu.Lock()
		c.blocked = nil
		c.hub.mu.Unlock()
		close(gate)
	}
}

// set makes and breaks the connection.
func (c *hubConn) set(connected bool) {
	c.hub.mu.Lock()
	c.down = !connected
	c.hub.mu.Unlock()
	if connected {
		c.watch(bus.Status{Connected: true})
	} else {
		c.watch(bus.Status{Err: bus.ErrDisconnected})
	}
}

// publish publishes a message in the larger half.
func (h *hub) publish(key, body string) { h.carry(&hubConn{}, key, body) }

func (h *hub) carry(from *hubConn, key, body string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, spoken{key, body})
	for _, c := range h.conns {
		fits, _ := path.Match(strings.ReplaceAll(c.pattern, "#", "*"), key)
		if fits && c.listen != nil && !c.down && c.apart == from.apart && (h.lose == nil || !h.lose(c, key, body)) {
			c.listen(key, json.RawMessage(body))
		}
	}
}

func (c *hubConn) Subscribe(_ context.Context, _, pattern string, l bus.Listener) (bus.Subscription, error) {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	c.pattern, c.listen = pattern, l
	return c, nil
}

func (c *hubConn) Watch(f func(bus.Status)) (stop func()) {
	c.watch = f
	return func() {}
}

func (c *hubConn) Dropped() uint64 { return 0 }

func (c *hubConn) Close() error {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	c.listen = nil
	return nil
}

// count returns how many messages of the type were published.
func (h *hub) count(kind string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.said {
		if strings.HasPrefix(s.body, `{"type":"`+kind+`"`) {
			n++
		}
	}
	return n
}

// manager is a Replica and the goroutine that owns it.
type manager struct {
	*Replica
	t    *testing.T
	conn *hubConn
	do   chan func()
	quit chan struct{}
	done sync.WaitGroup
	over sync.Once
	// watchers are called after each Apply, until they return true.
	watchers []func() bool
}

func (h *hub) join(t *testing.T, id int64) *manager {
	t.Helper()
	m := &manager{t: t, conn: h.dial(), do: make(chan func()), quit: make(chan struct{})}
	r, err := Open(t.Context(), Options{Conn: m.conn, Cluster: "test", ID: id, Placement: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	m.Replica = r
	m.done.Go(m.own)
	return m
}

func (m *manager) own() {
	for {
		select {
		case <-m.Ready():
			m.Apply()
		case f := <-m.do:
			f()
		case <-m.quit:
			return
		}
		m.watchers = slices.DeleteFunc(m.watchers, func(f func() bool) bool { return f() })
	}
}

// end calls stop unless it was called already.
func (m *manager) end() { m.over.Do(m.stop) }

// stop makes the manager fall silent for good.
func (m *manager) stop() {
	close(m.quit)
	m.done.Wait()
	if err := m.Close(); err != nil {
		m.t.Error(err)
	}
}

// freeze stops the manager's owner until thaw is called. The owner then runs
// first before anything else.
func (m *manager) freeze() (thaw func(first func())) {
	goOn := make(chan func())
	m.do <- func() { (<-goOn)() }
	return func(first func()) { goOn <- first }
}

// on runs f on the goroutine that owns the manager's state.
func (m *manager) on(f func()) {
	done := make(chan struct{})
	m.do <- func() { f(); close(done) }
	<-done
}

func (m *manager) is() (role replica.Role) {
	m.on(func() { role = m.Role() })
	return role
}

func (m *manager) json() (text string) {
	m.on(func() { text = string(m.ledger.runtimeJSON()) })
	return text
}

func (m *manager) counts() (s Stats) {
	m.on(func() { s = m.Stats() })
	return s
}

// propose returns the first error.
func (m *manager) propose(ops ...state.Op) (first error) {
	m.on(func() { first = m.proposeHere(ops...) })
	return first
}

func (m *manager) proposeHere(ops ...state.Op) error {
	var errs []error
	for _, op := range ops {
		m.Propose(replica.Proposal{
			Command: state.Command{At: muster.InstantOf(time.Now()), Op: op},
			Done: func(result state.Result, _ []muster.Event, err error) {
				errs = append(errs, err, result.Err)
			},
		})
	}
	return errors.Join(errs...)
}

func (m *manager) mustPropose(ops ...state.Op) {
	m.t.Helper()
	if err := m.propose(ops...); err != nil {
		m.t.Fatal(err)
	}
}

func (m *manager) want(kind replica.RoleKind) {
	m.t.Helper()
	if got := m.is(); got.Kind != kind {
		m.t.Fatalf("manager %d is %v, want %v", m.ID(), got, kind)
	}
}

// pass advances the bubble's time by d.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func join(worker string) state.Op {
	info, _ := muster.ParseInfo(json.RawMessage(`{"maxLoad":0.85}`))
	return state.Join{Purpose: "video", Worker: worker, Info: info}
}

func load(worker string, load float64) state.Op {
	return state.ReportLoad{Loads: []state.WorkerLoad{{Worker: worker, Load: load}}}
}

func schedule(task string) state.Op {
	return state.Schedule{Purpose: "video", Task: task, ReserveMillis: 60_000}
}

const (
	low  = election.MinID + 1
	mid  = election.MinID + 2
	high = election.MinID + 3
)

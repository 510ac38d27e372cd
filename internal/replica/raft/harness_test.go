package raft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testTime = 30 * time.Second

// manager is a Replica with an owner.
type manager struct {
	*Replica
	t       testing.TB
	orders  chan func()
	turn    *turn // of all managers
	stopped chan struct{}
	ended   sync.WaitGroup
}

// turn notifies its watchers when something was applied on some manager.
type turn struct {
	mu   sync.Mutex
	next chan struct{}
}

func (t *turn) watch() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next
}

func (t *turn) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.next)
	t.next = make(chan struct{})
}

func own(t testing.TB, n *Replica, turn *turn) *manager {
	m := &manager{Replica: n, t: t, orders: make(chan func()), turn: turn, stopped: make(chan struct{})}
	m.ended.Go(m.run)
	return m
}

func (m *manager) run() {
	for {
		select {
		case <-m.Ready():
			m.Apply()
			m.turn.pass()
		case f := <-m.orders:
			f()
		case <-m.stopped:
			m.Apply()
			return
		}
	}
}

// kill ends the manager without notice to the others, like SIGKILL.
func (m *manager) kill() {
	m.t.Helper()
	if err := m.Close(); err != nil {
		m.t.Error(err)
	}
	close(m.stopped)
	m.ended.Wait()
}

// do runs f in the goroutine that owns the state.
func (m *manager) do(f func()) {
	finished := make(chan struct{})
	select {
	case m.orders <- func() { f(); close(finished) }:
		<-finished
	case <-m.stopped:
	}
}

// await waits until f holds in the goroutine that owns the state.
func (m *manager) await(what string, f func() bool) {
	m.t.Helper()
	deadline := time.After(testTime)
	for {
		turn := m.turn.watch()
		ok := false
		m.do(func() { ok = f() })
		if ok {
			return
		}
		select {
		case <-turn:
		case <-deadline:
			s, _ := m.Status(context.Background())
			m.t.Fatalf("%s: never %s: %+v", m.opts.Addr, what, s)
		}
	}
}

// try proposes one operation and returns its outcome.
func (m *manager) try(op state.Op) (state.Result, error) {
	type outcome struct {
		result state.Result
		err    error
	}
	out := make(chan outcome, 1)
	m.do(func() {
		m.Propose(replica.Proposal{
			Command: state.Command{At: muster.InstantOf(time.Now()), Seed: 7, Op: op},
			Done:    func(r state.Result, _ []muster.Event, err error) { out <- outcome{r, err} },
		})
	})
	select {
	case o := <-out:
		return o.result, o.err
	case <-time.After(testTime):
		m.t.Fatalf("%s: no answer", m.opts.Addr)
		return state.Result{}, nil
	}
}

// fleet is several managers in one process.
type fleet struct {
	t        testing.TB
	addrs    []string
	managers map[string]*manager
	change   func(*Options)
	turn     *turn
	idle     map[string]net.Listener // addresses that are taken and not used yet
}

var testSecret = []byte("a secret that only tests have")

// newFleet starts n managers. change may be nil.
func newFleet(t testing.TB, n int, change func(*Options)) *fleet {
	f := &fleet{t: t, turn: &turn{next: make(chan struct{})}, managers: map[string]*manager{}, change: change, idle: map[string]net.Listener{}}
	for range n {
		f.addrs = append(f.addrs, f.address())
	}
	t.Cleanup(f.close)
	for _, addr := range f.addrs {
		f.start(addr, f.addrs)
	}
	return f
}

func (f *fleet) close() {
	for _, m := range f.managers {
		m.kill()
	}
	for _, l := range f.idle {
		l.Close()
	}
}

func (f *fleet) address() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.idle[l.Addr().String()] = l
	return l.Addr().String()
}

func (f *fleet) options(addr string, peers []string) Options {
	opts := DefaultOptions()
	opts.Addr, opts.Peers, opts.Secret = addr, peers, testSecret
	opts.Listener = f.idle[addr]
	delete(f.idle, addr)
	if f.change != nil {
		f.change(&opts)
	}
	return opts
}

func (f *fleet) start(addr string, peers []string) *manager {
	f.t.Helper()
	n, err := Start(f.options(addr, peers))
	if err != nil {
		f.t.Fatal(err)
	}
	m := own(f.t, n, f.turn)
	f.managers[addr] = m
	return m
}

func (f *fleet) kill(m *manager) {
	f.t.Helper()
	delete(f.managers, m.opts.Addr)
	m.kill()
}

// leader waits for a leader and returns it.
func (f *fleet) leader() *manager {
	f.t.Helper()
	deadline := time.After(testTime)
	for {
		turn := f.turn.watch()
		for _, addr := range f.addrs {
			m, leads := f.managers[addr], false
			if m == nil {
				continue
			}
			if m.do(func() { leads = m.Role().Kind == replica.Leader }); leads {
				return m
			}
		}
		select {
		case <-turn:
		case <-deadline:
			f.t.Fatal("no leader")
		}
	}
}

func (f *fleet) followers() []*manager {
	lead := f.leader()
	var out []*manager
	for _, addr := range f.addrs {
		if m := f.managers[addr]; m != nil && m != lead {
			out = append(out, m)
		}
	}
	return out
}

// must has the current leader carry out an operation, as a queue would.
func (f *fleet) must(op state.Op) state.Result {
	f.t.Helper()
	for {
		result, err := f.leader().try(op)
		if errors.As(err, &replica.NotLeaderError{}) || errors.Is(err, replica.ErrLost) {
			continue
		}
		if err != nil {
			f.t.Fatal(err)
		}
		return result
	}
}

func (f *fleet) join(worker string) {
	f.t.Helper()
	info := muster.Info{MaxLoad: 1, State: muster.StateReady, Raw: []byte(`{"ip":"10.0.0.1"}`)}
	f.must(state.Join{Purpose: "webrtc", Worker: worker, Info: info})
	f.must(state.ReportLoad{Loads: []state.WorkerLoad{{Worker: worker, Load: 0.1}}})
}

func (f *fleet) schedule(task string) string {
	f.t.Helper()
	r := f.must(state.Schedule{Purpose: "webrtc", Task: task, ReserveMillis: state.MaxReserveMillis})
	if r.Err != nil {
		f.t.Fatal(r.Err)
	}
	return r.Worker
}

// equal waits until all managers have the state of the leader.
func (f *fleet) equal() {
	f.t.Helper()
	lead := f.leader()
	var want []byte
	var index uint64
	lead.do(func() { want, index = lead.State().Snapshot(), lead.Index() })
	for _, m := range f.managers {
		m.await(fmt.Sprintf("at index %d", index), func() bool { return m.Index() >= index })
		var got []byte
		m.do(func() { got = m.State().Snapshot() })
		if !bytes.Equal(got, want) {
			f.t.Fatalf("%s has another state than the leader", m.opts.Addr)
		}
	}
}

// voters waits until all managers agree that there are n voters, no learners,
// and that each of them is one.
func (f *fleet) voters(n int) {
	f.t.Helper()
	deadline := time.After(testTime)
	for {
		turn := f.turn.watch()
		if f.whole(n) {
			return
		}
		select {
		case <-turn:
		case <-deadline:
			f.t.Fatalf("never %d voters", n)
		}
	}
}

func (f *fleet) whole(n int) bool {
	ids, seen := map[string]bool{}, map[string]int{}
	for _, m := range f.managers {
		s, err := m.Status(context.Background())
		if err != nil {
			f.t.Fatal(err)
		}
		ids[s.ID] = true
		for _, other := range s.Members {
			if !other.Voter {
				return false
			}
			seen[other.ID]++
		}
	}
	for id := range ids {
		if seen[id] != len(ids) {
			return false
		}
	}
	return len(seen) == n
}

func proposal(op state.Op, done func(error)) replica.Proposal {
	return replica.Proposal{
		Command: state.Command{At: 1, Op: op},
		Done:    func(_ state.Result, _ []muster.Event, err error) { done(err) },
	}
}

func testCore(addr string) CoreConfig {
	return CoreConfig{
		Addr: addr, Peers: []string{"m0", "m1", "m2"}, Seed: 1, ElectionTicks: 10, HeartbeatTicks: 2,
		CompactBytes: 2000, Placement: state.DefaultConfig(),
	}
}

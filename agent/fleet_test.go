package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/state"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// fleet is a queue, a manager and a client of it.
type fleet struct {
	t      testing.TB
	ctx    context.Context
	url    string
	conn   bus.Conn // the caller's
	client *client.Client
	// manager has no data directory: what it knows ends with it.
	manager *manager.Manager
	heard   map[string]chan heard // by topic
}

type heard struct {
	key  string
	body json.RawMessage
}

// newFleet starts everything in this process.
func newFleet(t testing.TB, patience time.Duration) *fleet {
	t.Helper()
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	f := &fleet{t: t, ctx: ctx, url: queue.URL(), heard: map[string]chan heard{}}
	f.conn = f.dial()
	f.client = client.New(f.conn, client.Options{})
	f.startManager()
	t.Cleanup(func() { _ = f.manager.Close() })
	f.listen(f.conn)
	return f
}

func (f *fleet) startManager() {
	f.t.Helper()
	options := manager.DefaultOptions()
	options.InitialTime = 0
	options.Placement.Debit = state.Debit{Mode: state.DebitOff}
	m, err := manager.Start(f.ctx, f.dial(), options)
	if err != nil {
		f.t.Fatal(err)
	}
	f.manager = m
}

func (f *fleet) dial() bus.Conn {
	conn, err := natsbus.Dial(f.ctx, bus.Options{URL: f.url})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (f *fleet) listen(conn bus.Conn) {
	for _, topic := range []string{bus.TopicMonitoring, bus.TopicTasks} {
		all := make(chan heard, 4096)
		f.heard[topic] = all
		_, err := conn.Subscribe(f.ctx, topic, "#", func(key string, body json.RawMessage) {
			select {
			case all <- heard{key, slices.Clone(body)}:
			default: // no one subscribes in this test
			}
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// expect waits for the next notice with that key; of its topic, those before
// are forgotten.
func (f *fleet) expect(key, body string) {
	f.t.Helper()
	topic := bus.TopicTasks
	if strings.HasPrefix(key, "exit.") {
		topic = bus.TopicMonitoring
	}
	for {
		select {
		case h := <-f.heard[topic]:
			if h.key != key {
				continue
			}
			if string(h.body) != body {
				f.t.Fatalf("notice %s:\n     %s\nwant %s", key, h.body, body)
			}
			return
		case <-f.ctx.Done():
			f.t.Fatalf("no notice %s", key)
		}
	}
}

func (f *fleet) start(opts Options) *Agent {
	f.t.Helper()
	if opts.Worker.Load == nil {
		opts.Worker.Load = load.Func(func() float64 { return 0.1 })
	}
	if opts.Worker.ID == "" {
		opts.Worker.ID = opts.Worker.Purpose + "-1"
	}
	opts.AnswerWithin, opts.StopGrace = 20*time.Second, 10*time.Second
	a, err := Start(f.ctx, f.dial(), opts)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := a.Close(f.ctx); err != nil && !errors.Is(err, bus.ErrClosed) {
			f.t.Errorf("close: %v", err)
		}
	})
	return a
}

// ask calls the agent, and returns the answer as JSON or the refusal.
func (f *fleet) ask(a *Agent, method string, args ...any) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, 30*time.Second)
	defer cancel()
	raw, err := f.conn.Call(ctx, a.ID(), method, args...)
	var refused *bus.RemoteError
	if errors.As(err, &refused) {
		return refused.Reason
	}
	if err != nil {
		f.t.Fatalf("%s: %v", method, err)
	}
	return string(raw)
}

// is asks, and fails where the answer is another.
func (f *fleet) is(want string, a *Agent, method string, args ...any) {
	f.t.Helper()
	if got := f.ask(a, method, args...); got != want {
		f.t.Errorf("%s %v is answered %s, want %s", method, args, got, want)
	}
}

// until waits for something to be true of the pool.
func (f *fleet) until(a *Agent, what string, met func(*pool) bool) {
	f.t.Helper()
	select {
	case <-a.owner.when(met):
	case <-f.ctx.Done():
		f.t.Fatalf("it never came to this: %s; nodes: %+v, ended %v", what, a.Nodes(), a.Err())
	}
}

func inState(state muster.NodeState, want int) func(*pool) bool {
	return func(p *pool) bool { return p.count(func(n *node) bool { return n.state() == state }) == want }
}

// managerHas checks which tasks the manager believes the agent to run.
func (f *fleet) managerHas(a *Agent, tasks ...string) {
	f.t.Helper()
	got, err := f.client.Tasks(f.ctx, a.ID())
	if err != nil {
		f.t.Fatal(err)
	}
	if len(got)+len(tasks) > 0 && !slices.Equal(got, tasks) {
		f.t.Errorf("the manager has %v, want %v", got, tasks)
	}
}

func arg(room, task string) map[string]any { return map[string]any{"room": room, "task": task} }

// ends has, for each node, the channel that ends it.
type ends struct {
	mu  sync.Mutex
	all map[string]chan error
}

func (e *ends) of(id string) chan error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil {
		e.all = map[string]chan error{}
	}
	if e.all[id] == nil {
		e.all[id] = make(chan error, 1)
	}
	return e.all[id]
}

// obedient makes nodes that are ready at once, and end as the test says.
func obedient() (process.Launcher, *ends) {
	e := &ends{}
	return InProcess(func(ctx context.Context, s process.Spec, ready func()) error {
		ready()
		select {
		case <-ctx.Done():
			return nil
		case err := <-e.of(s.ID):
			return err
		}
	}), e
}

func TestLifecycle(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	launcher, _ := obedient()
	a := f.start(Options{Worker: worker.Options{Purpose: "sample"}, Launcher: launcher})
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	f.managerHas(a, "task1")
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task2"))
	f.is(`"sample-1_1"`, a, "getNode", arg("room2", "task3"))
	f.is(`"sample-1_1"`, a, "getNode", arg("room2", "task3"))
	f.managerHas(a, "task1", "task2", "task3")
	f.is("Invalid task", a, "getNode", map[string]any{"room": "room2"})
	f.is("Invalid task", a, "getNode", map[string]any{"task": "task4"})
	f.is("Invalid task", a, "getNode", map[string]any{"room": "room2", "task": ""})
	f.is("Invalid task", a, "getNode")
	f.is(`"sample-1_0"`, a, "queryNode", "room1")
	f.is("No such a task", a, "queryNode", "ghost")
	f.is(`"ok"`, a, "recycleNode", "sample-1_0", arg("room1", "task1"))
	f.managerHas(a, "task2", "task3")
	f.is(`"ok"`, a, "recycleNode", "sample-1_0", map[string]any{"room": "room1", "task": "task2",
		"result": map[string]any{"state": "failed", "error": "no such input"}})
	f.is(`"ok"`, a, "recycleNode", "ghost", arg("room1", "task3"))
	f.managerHas(a, "task3")
	f.is("No such a task", a, "queryNode", "room1")
	f.is("No such a task", a, "queryTask", "ghost")
	f.is(`"pong"`, a, "ping")
	f.is("Not support method", a, "nosuch")
	for task, want := range map[string]string{
		"task1": `"done"`, "task2": `"failed"`, "task3": `"running"`,
	} {
		var report map[string]json.RawMessage
		if err := json.Unmarshal([]byte(f.ask(a, "queryTask", task)), &report); err != nil {
			t.Fatal(err)
		}
		if string(report["state"]) != want {
			t.Errorf("%s is %s, want %s", task, report["state"], want)
		}
	}
	body := func(task, room, node, more string) string {
		return fmt.Sprintf(`{"task":%q,"room":%q,"node":%q,"worker":"sample-1","purpose":"sample"%s}`, task, room, node, more)
	}
	f.expect("sample.started", body("task1", "room1", "sample-1_0", ""))
	f.expect("sample.done", body("task1", "room1", "sample-1_0", ""))
	f.expect("sample.failed", body("task2", "room1", "sample-1_0", `,"error":"no such input"`))
	f.until(a, "two idle nodes, two taken, one gone", inState(muster.NodeIdle, 2))
}

func TestCrash(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	launcher, end := obedient()
	a := f.start(Options{Worker: worker.Options{Purpose: "sample"}, Launcher: launcher})
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	f.is(`"sample-1_1"`, a, "getNode", arg("room2", "task2"))
	end.of("sample-1_0") <- errors.New("the camera burns")
	f.expect("exit.abnormal", `{"reason":"abnormal","message":{"purpose":"sample","id":"sample-1_0","type":"node"}}`)
	f.expect("sample.failed", `{"task":"task1","room":"room1","node":"sample-1_0","worker":"sample-1","purpose":"sample","error":"the camera burns"}`)
	f.managerHas(a, "task2")
	end.of("sample-1_1") <- nil
	f.expect("sample.done", `{"task":"task2","room":"room2","node":"sample-1_1","worker":"sample-1","purpose":"sample"}`)
	f.managerHas(a)
	f.until(a, "two idle nodes again", inState(muster.NodeIdle, 2))
}

// An agent whose nodes die at once asks for no tasks, and asks again when they
// live.
func TestTrouble(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	lives := make(chan struct{})
	a := f.start(Options{
		Worker: worker.Options{Purpose: "sample"},
		Launcher: InProcess(func(ctx context.Context, _ process.Spec, ready func()) error {
			select {
			case <-lives:
			default:
				panic("no licence")
			}
			ready()
			<-ctx.Done()
			return nil
		}),
	})
	f.until(a, "trouble", func(p *pool) bool { return p.unavailable })
	switch refusal := f.ask(a, "getNode", arg("r", "t")); refusal {
	case muster.ReasonNodeNotReady.Text, muster.ReasonEarlyRecycled.Text: // the latter while a node is tried
	default:
		t.Errorf("in trouble getNode is answered %s", refusal)
	}
	f.schedule("sample", "t", client.ErrNoWorker)
	close(lives)
	f.until(a, "recovery", func(p *pool) bool { return !p.unavailable })
	f.schedule("sample", "t", nil)
	if !strings.HasPrefix(f.ask(a, "getNode", arg("r", "t")), `"sample-1_`) {
		t.Error("no node after the recovery")
	}
}

// schedule asks until the manager answers as expected: it hears of states by
// casts, from another connection.
func (f *fleet) schedule(purpose, task string, want error) {
	f.t.Helper()
	for {
		_, err := f.client.Schedule(f.ctx, client.Request{Purpose: purpose, Task: task})
		if errors.Is(err, want) || want == nil && err == nil {
			return
		}
		if f.ctx.Err() != nil {
			f.t.Fatalf("schedule: %v, want %v", err, want)
		}
	}
}

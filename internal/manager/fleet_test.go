package manager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// queue is a real message queue that can be restarted.
type queue struct {
	dial    func(context.Context) (bus.Conn, error)
	restart func() error
}

// queues starts one of each kind.
var queues = map[string]func(*testing.T) queue{
	"nats":     natsQueue,
	"rabbitmq": rabbitQueue,
}

func natsQueue(t *testing.T) queue {
	server, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { _ = server.Close() })
	url, addr := server.URL(), server.Addr().String()
	return queue{
		dial: func(ctx context.Context) (bus.Conn, error) { return natsbus.Dial(ctx, bus.Options{URL: url}) },
		restart: func() error {
			if err := server.Close(); err != nil {
				return err
			}
			server, err = natsserver.Start(natsserver.Options{Listen: addr})
			return err
		},
	}
}

func rabbitQueue(t *testing.T) queue {
	broker := manager.SharedRabbit.Broker(t)
	return queue{
		dial: func(ctx context.Context) (bus.Conn, error) { return amqpbus.Dial(ctx, bus.Options{URL: broker.URL()}) },
		restart: func() error {
			broker.Kill()
			return broker.Restart(context.Background())
		},
	}
}

// fleet is a manager, workers and a client, each on a connection of its own.
type fleet struct {
	t       *testing.T
	ctx     context.Context
	queue   queue
	client  *client.Client
	workers []*worker.Worker
}

func newFleet(t *testing.T, q queue) *fleet {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	f := &fleet{t: t, ctx: ctx, queue: q}
	m, err := manager.Start(ctx, f.conn(), options())
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	f.client = client.New(f.conn(), client.Options{})
	return f
}

func options() manager.Options {
	opts := manager.DefaultOptions()
	opts.InitialTime = 0
	opts.CheckAliveInterval = 100 * time.Millisecond
	opts.CheckAliveCount = 10
	return opts
}

func (f *fleet) conn() bus.Conn {
	c, err := f.queue.dial(f.ctx)
	must(f.t, err)
	f.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (f *fleet) join(purpose string, n int) {
	for range n {
		w, err := worker.Join(f.ctx, f.conn(), worker.Options{
			Purpose:      purpose,
			KeepAlive:    100 * time.Millisecond,
			JoinInterval: 50 * time.Millisecond,
			Load:         load.Func(func() float64 { return 0.1 }),
		})
		must(f.t, err)
		f.workers = append(f.workers, w)
		f.t.Cleanup(func() { _ = w.Quit(context.Background()) })
	}
}

// place places tasks until every one of them has a worker: a worker that has
// just joined may not have reported its load yet.
func (f *fleet) place(purpose string, tasks ...string) map[string]string {
	placed := map[string]string{}
	for _, task := range tasks {
		f.until("placed "+task, func() bool {
			p, err := f.client.Schedule(f.ctx, client.Request{Purpose: purpose, Task: task})
			placed[task] = p.Worker
			return err == nil
		})
	}
	return placed
}

// until waits for something that others bring about.
func (f *fleet) until(what string, done func() bool) {
	f.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-f.ctx.Done():
			f.t.Fatalf("in vain: %s", what)
		}
	}
}

func (f *fleet) worker(id string) *worker.Worker {
	i := slices.IndexFunc(f.workers, func(w *worker.Worker) bool { return w.ID() == id })
	if i < 0 {
		f.t.Fatalf("there is no worker %q", id)
	}
	return f.workers[i]
}

func TestFleet(t *testing.T) {
	onEachQueue(t, func(t *testing.T, f *fleet) {
		f.join("video", 2)
		f.until("both have reported their load", func() bool {
			list, err := f.client.Workers(f.ctx, "video")
			return err == nil && !slices.ContainsFunc(list, func(w muster.Worker) bool { return w.Load != 0.1 })
		})
		placed := f.place("video", "a", "b")
		if placed["a"] == placed["b"] {
			t.Errorf("both tasks are on %s, want them spread", placed["a"])
		}
		again := f.place("video", "a")
		if again["a"] != placed["a"] {
			t.Errorf("a is on %s, then on %s", placed["a"], again["a"])
		}
		f.worker(placed["a"]).AddTask("a")
		f.until("a runs", func() bool {
			tasks, err := f.client.Tasks(f.ctx, placed["a"])
			return err == nil && slices.Equal(tasks, []string{"a"})
		})
		why, err := f.client.Why(f.ctx, "video", "a")
		must(t, err)
		if why.Chosen == nil || why.Chosen.Worker != placed["a"] || why.Workers != 2 {
			t.Errorf("explained by %+v", why)
		}
		_, err = f.client.Schedule(f.ctx, client.Request{
			Purpose: "video", Task: "c", Preference: map[string]any{"video": map[string]any{"encode": []string{"av1"}}},
		})
		var none *client.NoWorkerError
		if !errors.As(err, &none) || none.Explanation == nil || none.Explanation.Excluded[muster.RuleCodec] != 2 {
			t.Errorf("no worker encodes av1, but the answer is %v", err)
		}
	})
}

func TestWorkerThatQuitIsAnnounced(t *testing.T) {
	onEachQueue(t, func(t *testing.T, f *fleet) {
		notices := make(chan string, 1)
		_, err := f.conn().Subscribe(f.ctx, bus.TopicMonitoring, "exit.#", func(key string, body json.RawMessage) {
			notices <- key + " " + string(body)
		})
		must(t, err)
		f.join("sip", 1)
		id := f.workers[0].ID()
		must(t, f.workers[0].Quit(f.ctx))
		want := fmt.Sprintf(`exit.quit {"reason":"quit","message":{"purpose":"sip","id":%q,"type":"worker"}}`, id)
		select {
		case got := <-notices:
			if got != want {
				t.Errorf("notice %s\nwant   %s", got, want)
			}
		case <-f.ctx.Done():
			t.Fatal("no notice")
		}
	})
}

func TestSecondManagerIsRefused(t *testing.T) {
	onEachQueue(t, func(t *testing.T, f *fleet) {
		m, err := manager.Start(f.ctx, f.conn(), options())
		if !errors.Is(err, manager.ErrServed) {
			t.Errorf("a second manager of the cluster started: %v", err)
		}
		if m != nil {
			_ = m.Close()
		}
	})
}

// The queue goes away for longer than a worker may be silent, and comes back
// without anything that was declared on it.
func TestQueueRestartLosesNoWorkerAndNoTask(t *testing.T) {
	onEachQueue(t, func(t *testing.T, f *fleet) {
		f.join("video", 3)
		placed := f.place("video", "a", "b", "c", "reserved")
		for _, task := range []string{"a", "b", "c"} {
			f.worker(placed[task]).AddTask(task)
		}
		running := func() bool {
			for _, task := range []string{"a", "b", "c"} {
				tasks, err := f.client.Tasks(f.ctx, placed[task])
				if err != nil || !slices.Contains(tasks, task) {
					return false
				}
			}
			return true
		}
		f.until("the tasks run", running)

		must(t, f.queue.restart())

		f.until("the tasks run again", running)
		for task, id := range f.place("video", "a", "b", "c", "reserved") {
			if id != placed[task] {
				t.Errorf("%s was on %s, and is on %s", task, placed[task], id)
			}
		}
		for _, w := range f.workers {
			if len(w.Tasks()) != countOf(placed, w.ID()) {
				t.Errorf("%s runs %v", w.ID(), w.Tasks())
			}
		}
	})
}

// countOf counts the running tasks of a worker: all but the reserved one.
func countOf(placed map[string]string, id string) int {
	n := 0
	for task, at := range placed {
		if at == id && task != "reserved" {
			n++
		}
	}
	return n
}

func onEachQueue(t *testing.T, test func(*testing.T, *fleet)) {
	for name, start := range queues {
		t.Run(name, func(t *testing.T) { test(t, newFleet(t, start(t))) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

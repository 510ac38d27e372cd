package systemtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// fleet is workers in this program, each with a connection of its own.
type fleet struct {
	byID map[string]*worker.Worker
	// dropped is how many tasks they had to give up.
	dropped atomic.Int64
}

// joinFleet has n workers join, and end with the test.
func (r *rig) joinFleet(n int, url string) *fleet {
	r.Helper()
	f := &fleet{byID: map[string]*worker.Worker{}}
	var mu sync.Mutex
	var conns []bus.Conn
	var joining sync.WaitGroup
	r.Cleanup(func() { // the end of its connection is that of a worker
		var ending sync.WaitGroup
		for _, conn := range conns {
			ending.Go(func() { _ = conn.Close() })
		}
		ending.Wait()
		for _, w := range f.byID {
			<-w.Done()
		}
	})
	for i := range n {
		joining.Go(func() {
			conn, err := connect.Open(r.ctx, bus.Options{URL: url})
			if err != nil {
				r.Error(err)
				return
			}
			w, err := worker.Join(r.ctx, conn, f.options(r.name, i))
			if err != nil {
				r.Error(errors.Join(err, conn.Close()))
				return
			}
			mu.Lock()
			f.byID[w.ID()] = w
			conns = append(conns, conn)
			mu.Unlock()
		})
	}
	joining.Wait()
	if r.Failed() {
		r.FailNow()
	}
	return f
}

func (f *fleet) options(cluster string, i int) worker.Options {
	return worker.Options{
		Purpose: purpose, Cluster: cluster, ID: fmt.Sprintf("%s-%020x@localhost", purpose, i), IP: "127.0.0.1",
		MaxLoad: 1, Load: load.Func(func() float64 { return 0.1 }), LoadInterval: 200 * time.Millisecond,
		Handlers: map[string]worker.Handler{"ping": worker.Handle(
			func(context.Context, *worker.Worker, string) (string, error) { return "pong", nil })},
		OnTasksDropped: func(_ *worker.Worker, tasks []string) { f.dropped.Add(int64(len(tasks))) },
	}
}

// awaitAll waits until every worker answers, and the manager knows it.
func (r *rig) awaitAll(f *fleet) {
	r.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for id := range f.byID {
		for err := r.ping(id); err != nil; err = r.ping(id) {
			select {
			case <-again.C: // a worker that is not back yet is refused at once
			case <-r.ctx.Done():
				r.Fatalf("worker %s does not come back: %v", id, err)
			}
		}
	}
	known, err := r.client.WorkerIDs(r.ctx, purpose)
	r.must(err)
	if len(known) != len(f.byID) {
		r.Errorf("the manager knows %d workers of %d", len(known), len(f.byID))
	}
}

// ping asks a worker once. An answer that is given while the worker's own
// connection is coming back is lost, as any caller must expect.
func (r *rig) ping(id string) error {
	ctx, cancel := context.WithTimeout(r.ctx, bus.DefaultTimeout*time.Millisecond)
	defer cancel()
	_, err := r.client.Call(ctx, id, "ping", "")
	return err
}

// What managers print that tests look for. Each test that wants to see none of it
// must have seen that there is such a text: see keptAll.
const (
	workerLeft  = `msg="worker left"`
	roleChanged = "msg=role"
)

// keptAll fails the test if a worker left. Then a spare one joins and
// quits: if that is not seen, nothing would have been.
func (r *rig) keptAll() {
	r.Helper()
	if n := r.output.count(workerLeft); n != 0 {
		r.Errorf("workers were evicted: %d times %s", n, workerLeft)
		return
	}
	opts := r.fleet.options(r.name, len(r.fleet.byID))
	opts.Purpose, opts.ID = "control", "control-1"
	w, err := worker.Join(r.ctx, r.conn, opts)
	r.must(err)
	r.must(w.Quit(r.ctx))
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for r.output.count(workerLeft) == 0 {
		select {
		case <-again.C:
		case <-r.ctx.Done():
			r.Fatalf("a worker quit, and no manager printed %s", workerLeft)
		}
	}
}

// A queue that restarts must not become an outage of media: no worker is given
// up, and every task stays where it is, those that run and those that wait.
func TestQueueRestartsUnderAHundredWorkers(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{fleet: 100, faults: 4}) // RabbitMQ may take a minute to start
		running := map[string]string{}
		for i := range 200 {
			task := fmt.Sprintf("running-%d", i)
			id, err := r.schedule(task)
			r.must(err)
			r.fleet.byID[id].AddTask(task)
			running[task] = id
		}
		q.Kill()
		r.must(q.Restart(r.ctx))
		back := time.Now()
		r.awaitAll(r.fleet)
		r.healed()
		t.Logf("everything is back %v after the queue", time.Since(back).Round(time.Millisecond))
		for task, id := range running {
			if now, err := r.look(task); err != nil || now != id {
				t.Errorf("%s was on %s and is on %q: %v", task, id, now, err)
			}
		}
		if n := r.fleet.dropped.Load(); n != 0 {
			t.Errorf("workers had to give up %d tasks", n)
		}
		r.verify()
		r.keptAll()
	})
}

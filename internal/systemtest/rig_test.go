package systemtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/systemtest/cluster"
	"github.com/muster-fleet/muster/internal/systemtest/history"
)

const (
	purpose = "webrtc"
	workers = 3
	rate    = 100 // calls a second
	// patience bounds what a test waits for. A healthy run never comes near it.
	patience = 3 * time.Minute
	// some is how many calls are answered before, between and after faults.
	some = 30
)

const config = `
[manager]
initial_time = 0
[strategy]
webrtc = "randomly-pick"
[placement]
debit = "off"
`

// rig is three managers, their workers and their callers, all running.
type rig struct {
	*testing.T
	*cluster.Cluster
	ctx    context.Context
	conn   bus.Conn
	name   string
	client *client.Client
	load   *history.Load
	faults int
	url    string
	fleet  *fleet
	output outputs
}

// setup is what a rig has that others do not.
type setup struct {
	cuttable bool                              // managers can be cut off
	apart    bool                              // managers have networks of their own
	faults   int                               // how many there will be, where they are many
	fleet    int                               // workers in this program, instead of a few as processes
	replica  string                            // how managers agree
	config   string                            // more of their configuration
	first    func(r *rig, task, worker string) // hears of each placement
	owt      bool                              // callers call once, as an unmodified program of OWT does
	rate     int                               // calls a second, where they are not as many as elsewhere
}

// rigs counts them, so that each has a cluster of its own.
var rigs atomic.Int64

// startRig returns when the managers are well, the workers have joined, and
// calls are answered.
func startRig(t *testing.T, q queue, has setup) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience+time.Duration(has.faults)*perFault)
	t.Cleanup(cancel)
	r := &rig{T: t, ctx: ctx, url: q.URL(), name: fmt.Sprintf("systemtest-%d", rigs.Add(1))}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the processes printed at last:\n%s", r.output.tails())
		}
	})
	var err error
	r.conn, err = connect.Open(ctx, bus.Options{URL: q.URL()})
	r.must(err)
	t.Cleanup(func() { _ = r.conn.Close() })
	o := cluster.Options{
		Program: program, URL: q.URL(), Name: r.name,
		Managers: 3, Config: config + has.config, Cuttable: has.cuttable, Apart: has.apart, Replica: has.replica, Output: r.output.of,
	}
	r.Cluster, err = cluster.Start(r.conn, o)
	r.must(err)
	t.Cleanup(r.Cluster.Close)
	r.must(r.AwaitHealth(ctx))
	r.client = client.New(r.conn, client.Options{Cluster: o.Name, Timeout: patience, TryTimeout: 500 * time.Millisecond})
	r.startWorkers(o, has.fleet)
	r.load = &history.Load{Schedule: r.schedule, Look: r.look, Rate: rate, Seed: 1}
	if has.rate > 0 {
		r.load.Rate = has.rate
	}
	if has.first != nil {
		r.load.Schedule = r.telling(has.first)
	}
	if has.owt {
		r.load.Schedule = r.scheduleOnce
	}
	r.load.Begin()
	r.calm()
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// dial makes one more connection to the queue.
func (r *rig) dial() bus.Conn {
	r.Helper()
	conn, err := connect.Open(r.ctx, bus.Options{URL: r.url})
	r.must(err)
	r.Cleanup(func() { _ = conn.Close() })
	return conn
}

// startWorkers returns when they may get tasks: as many as wanted in this
// program, or else a few as processes.
func (r *rig) startWorkers(o cluster.Options, inside int) {
	r.Helper()
	if inside > 0 {
		r.fleet = r.joinFleet(inside, o.URL)
		r.awaitWorkers(inside)
		return
	}
	for i := range workers {
		r.startWorker(o, fmt.Sprintf("%s-%020x@localhost", purpose, i))
	}
	r.awaitWorkers(workers)
}

func (r *rig) startWorker(o cluster.Options, id string) {
	r.Helper()
	cmd := exec.Command(program, "worker", "--url", o.URL, "--cluster", o.Name,
		"--purpose", purpose, "--id", id, "--load", "memory", "--max-load", "1")
	cmd.Stdout = o.Output(id)
	cmd.Stderr = cmd.Stdout
	_, err := r.Crew().Start(cmd)
	r.must(err)
}

// awaitWorkers waits until every worker has joined and reported its load.
func (r *rig) awaitWorkers(n int) {
	r.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		ready := 0
		list, err := r.client.Workers(r.ctx, purpose)
		for _, w := range list {
			if w.Load < 1 {
				ready++
			}
		}
		if ready == n {
			return
		}
		select {
		case <-again.C:
		case <-r.ctx.Done():
			r.Fatalf("workers do not join: %+v, %v", list, err)
		}
	}
}

func (r *rig) schedule(task string) (string, error) {
	placed, err := r.client.Schedule(context.Background(), client.Request{Purpose: purpose, Task: task, Reserve: time.Hour})
	return placed.Worker, err
}

// telling is schedule, with a report of each placement.
func (r *rig) telling(first func(r *rig, task, worker string)) func(string) (string, error) {
	return func(task string) (string, error) {
		id, err := r.schedule(task)
		if err == nil {
			first(r, task, id)
		}
		return id, err
	}
}

func (r *rig) scheduleOnce(task string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bus.DefaultTimeout*time.Millisecond)
	defer cancel()
	raw, err := r.conn.Call(ctx, r.name, "schedule", purpose, task, "preference", time.Hour.Milliseconds())
	if err != nil {
		return "", err
	}
	var placed struct {
		ID string `json:"id"`
	}
	err = json.Unmarshal(raw, &placed)
	return placed.ID, err
}

// look asks where a task is. An answer from the last state before the quorum was lost
// says that it is one, and may lack what the leader decided last: it asks again.
func (r *rig) look(task string) (string, error) {
	for {
		stale := false
		ctx := bus.OnStale(context.Background(), func(time.Duration) { stale = true })
		worker, err := r.client.Scheduled(ctx, purpose, task)
		if !stale || !pause.For(r.ctx, 20*time.Millisecond) {
			return worker, err
		}
	}
}

// calm lets some calls be answered.
func (r *rig) calm() {
	r.Helper()
	r.must(r.load.Await(r.ctx, some))
}

// leader is the manager that leads.
func (r *rig) leader() *cluster.Manager {
	r.Helper()
	m, err := r.AwaitLeader(r.ctx, nil)
	r.must(err)
	return m
}

// awaitOn waits until the manager that leads knows where a task runs.
func (r *rig) awaitOn(task, id string) {
	r.Helper()
	r.awaitOnPurpose(purpose, task, id)
}

func (r *rig) awaitOnPurpose(purpose, task, id string) {
	r.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		now, err := r.client.Scheduled(r.ctx, purpose, task)
		if err == nil && now == id {
			return
		}
		select {
		case <-again.C:
		case <-r.ctx.Done():
			r.Fatalf("%s runs on %s, and the manager says %q: %v", task, id, now, err)
		}
	}
}

// healed counts a fault, waits until all managers are well, and lets some calls
// be answered.
func (r *rig) healed() {
	r.Helper()
	r.faults++
	r.must(r.AwaitHealth(r.ctx))
	r.calm()
}

// verify ends the calls and checks what came of them.
func (r *rig) verify() {
	r.Helper()
	calls := r.load.End()
	longest := history.Gap(calls, 0, r.load.Now())
	final := map[string]string{}
	for _, task := range history.Placed(calls) {
		c := history.Call{Task: task, Look: true, Start: r.load.Now()}
		c.Worker, c.Err = r.look(task)
		if c.Err != nil && !errors.Is(c.Err, client.ErrNoTask) {
			r.Fatalf("look up %s in the end: %v", task, c.Err)
		}
		c.End, c.Err = r.load.Now(), nil
		final[task] = c.Worker
		calls = append(calls, c)
	}
	v := history.Judge(calls, final)
	r.Logf("faults %d, calls %d, lost %d, doubled %d, refused %d, longest gap %v",
		r.faults, v.Calls, v.Lost(), v.Doubled, v.Refused, longest.Round(100*time.Microsecond))
	if v.Lost() != 0 || v.Doubled != 0 || v.Refused != 0 {
		r.Errorf("callers noticed:\n%s", strings.Join(v.Problems, "\n"))
	}
	if calls := disordered(calls); calls != nil {
		r.Errorf("no order in which the task had one worker: %+v", calls)
	}
}

package failover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/bench/testbed"
	"github.com/muster-fleet/muster/internal/systemtest/cluster"
	"github.com/muster-fleet/muster/internal/systemtest/history"
)

const (
	// healTime bounds how long managers may take to recover.
	healTime = 30 * time.Second
	// between is how many calls are answered between two faults.
	between = 50
	// reserve is longer than any run, so that no reservation ends.
	reserve = 24 * time.Hour
	// tryTime is how long Muster's client waits before it asks again.
	tryTime = 500 * time.Millisecond
	// lookers is how many look-ups run concurrently in the end.
	lookers = 32
)

// managerConfig is the configuration of the managers: tasks are spread evenly over
// all workers, and fill none.
const managerConfig = `
[manager]
initial_time = 0
[strategy]
webrtc = "randomly-pick"
[placement]
debit = "off"
`

// trial is a run of Run.
type trial struct {
	opts    Options
	kind    string
	caller  bus.Conn
	cluster *cluster.Cluster
	load    *history.Load
	// faults last from the fault until all managers have recovered.
	faults []span
	// stops are called in reverse order.
	stops []func()
}

type span struct{ from, to time.Duration }

// startTrial returns when all managers are ready and the fleet has joined them.
func startTrial(ctx context.Context, o Options) (*trial, error) {
	t := &trial{opts: o}
	for _, step := range []func(context.Context) error{t.reachBroker, t.startManagers, t.startFleet, t.startCaller} {
		if err := step(ctx); err != nil {
			t.close()
			return nil, fmt.Errorf("failover: %w", err)
		}
	}
	return t, nil
}

func (t *trial) close() {
	for _, stop := range slices.Backward(t.stops) {
		stop()
	}
	t.stops = nil
}

func (t *trial) reachBroker(context.Context) error {
	b, err := testbed.FindBroker(t.opts.Bus)
	if err != nil {
		return err
	}
	t.kind, t.opts.Bus = b.Kind, b.Options
	t.opts.Bus.Logger = t.opts.Logger
	t.stops = append(t.stops, b.Stop)
	return nil
}

func (t *trial) dial(ctx context.Context, who string) (bus.Conn, error) {
	o := t.opts.Bus
	o.Name = t.opts.Cluster + "-" + who
	conn, err := testbed.Connect(ctx, t.kind, o)
	if err != nil {
		return nil, fmt.Errorf("connect the %s to %s: %w", who, bus.Redacted(o.URL), err)
	}
	t.stops = append(t.stops, func() { _ = conn.Close() })
	return conn, nil
}

func (t *trial) startManagers(ctx context.Context) error {
	conn, err := t.dial(ctx, "watcher")
	if err != nil {
		return err
	}
	t.cluster, err = cluster.Start(conn, cluster.Options{
		Program: t.opts.Program, URL: t.opts.Bus.URL, Name: t.opts.Cluster,
		Managers: t.opts.Managers, Config: managerConfig, Cuttable: t.opts.How == FaultCut,
	})
	if err != nil {
		return err
	}
	t.stops = append(t.stops, t.cluster.Close)
	return t.awaitHealth(ctx)
}

func (t *trial) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healTime)
	defer cancel()
	return t.cluster.AwaitHealth(ctx)
}

func (t *trial) startFleet(ctx context.Context) error {
	conn, err := t.dial(ctx, "fleet")
	if err != nil {
		return err
	}
	f := testbed.NewFleet(t.opts.Workers, 1, 1, 0.1, 0.2, rand.New(rand.NewPCG(t.opts.Seed, 0)))
	k, err := testbed.Join(ctx, conn, t.opts.Cluster, f, testbed.SignsOWT)
	if err != nil {
		return err
	}
	t.stops = append(t.stops, k.Close)
	return nil
}

func (t *trial) startCaller(ctx context.Context) error {
	conn, err := t.dial(ctx, "caller")
	if err != nil {
		return err
	}
	t.caller = conn
	if t.opts.Caller == "" {
		t.opts.Caller = CallerMuster
		if t.kind == testbed.AMQP {
			t.opts.Caller = CallerOWT
		}
	}
	t.load = &history.Load{Schedule: t.scheduleOWT, Rate: t.opts.Rate, Seed: t.opts.Seed}
	if t.opts.Caller == CallerMuster {
		t.load.Schedule = t.scheduleMuster
	}
	ctx, cancel := context.WithTimeout(ctx, healTime)
	defer cancel()
	// The first reports of load must have arrived.
	for {
		_, err := t.load.Schedule("task-first")
		if refused := (*bus.RemoteError)(nil); !errors.As(err, &refused) || ctx.Err() != nil {
			return err
		}
	}
}

// preference is what the workers of the one pool offer.
var preference = json.RawMessage(`{"isp":"isp-0","region":"region-0"}`)

// scheduleOWT is one call, without another try.
func (t *trial) scheduleOWT(task string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bus.DefaultTimeout*time.Millisecond)
	defer cancel()
	raw, err := t.caller.Call(ctx, t.opts.Cluster, "schedule", testbed.Purpose, task, preference, reserve.Milliseconds())
	if err != nil {
		return "", err
	}
	var placed struct {
		ID string `json:"id"`
	}
	err = json.Unmarshal(raw, &placed)
	return placed.ID, err
}

func (t *trial) client() *client.Client {
	return client.New(t.caller, client.Options{Cluster: t.opts.Cluster, TryTimeout: tryTime})
}

func (t *trial) scheduleMuster(task string) (string, error) {
	placed, err := t.client().Schedule(context.Background(), client.Request{
		Purpose: testbed.Purpose, Task: task, Preference: preference, Reserve: reserve,
	})
	return placed.Worker, err
}

// final looks up where the tasks are.
func (t *trial) final(ctx context.Context, tasks []string) (map[string]string, error) {
	var mu sync.Mutex
	var failed error
	final := make(map[string]string, len(tasks))
	var looking sync.WaitGroup
	for first := range lookers {
		looking.Go(func() {
			for i := first; i < len(tasks); i += lookers {
				worker, err := t.client().Scheduled(ctx, testbed.Purpose, tasks[i])
				mu.Lock()
				final[tasks[i]] = worker
				if err != nil && !errors.Is(err, client.ErrNoTask) {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	looking.Wait()
	return final, failed
}

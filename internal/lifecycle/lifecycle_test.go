// Package lifecycle has no code: its test starts and stops every long-lived
// component over and over, which is where goroutines are left behind and calls
// block for ever.
package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/replica/raft"
	"github.com/muster-fleet/muster/node"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// rounds is how often each component is started and stopped.
const rounds = 200

// component is something that is started, used, and stopped.
type component struct {
	// start returns what uses it and what stops it. Both must be safe from
	// several goroutines at once, and after the stop.
	start func(ctx context.Context, round int) (use, stop func() error, err error)
}

// TestStartAndStop stops each component from two goroutines while another uses
// it, and once more afterwards. Nothing may block, panic, or be left running.
func TestStartAndStop(t *testing.T) {
	b := newBackground(t)
	for name, c := range map[string]component{
		"nats-server": {b.server}, "natsbus.Conn": {b.connection}, "manager": {b.manager},
		"raft.Replica": {b.replica}, "worker": {b.worker}, "agent": {b.agent}, "node": {b.node},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			for round := range rounds {
				if err := c.once(t.Context(), round); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
			}
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
		})
	}
}

// once is one life of the component.
func (c component) once(ctx context.Context, round int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	use, stop, err := c.start(ctx, round)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	errs := make([]error, 3)
	var all sync.WaitGroup
	all.Go(func() { _ = use() }) // may fail, once it is stopped
	for i := range 2 {
		all.Go(func() { errs[i] = stop() })
	}
	all.Wait()
	errs[2] = stop()
	_ = use()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return ctx.Err()
}

// background is what the components need around them.
type background struct {
	broker *natsserver.Server
	conn   bus.Conn
}

const cluster = "lifecycle"

func newBackground(t *testing.T) *background {
	broker, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	b := &background{broker: broker}
	if b.conn, err = b.dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.conn.Close() })
	_, stop, err := b.startManager(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	return b
}

func (b *background) dial(ctx context.Context) (bus.Conn, error) {
	return natsbus.Dial(ctx, bus.Options{URL: b.broker.URL()})
}

func (b *background) server(context.Context, int) (use, stop func() error, err error) {
	s, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		return nil, nil, err
	}
	return func() error { _ = s.URL(); return nil }, s.Close, nil
}

func (b *background) connection(ctx context.Context, _ int) (use, stop func() error, err error) {
	c, err := b.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	use = func() error {
		_, err := c.Call(ctx, cluster, "listWorkers", "")
		return err
	}
	return use, c.Close, nil
}

func (b *background) manager(ctx context.Context, round int) (use, stop func() error, err error) {
	return b.startManager(ctx, fmt.Sprint(cluster, round))
}

func (b *background) startManager(ctx context.Context, name string) (use, stop func() error, err error) {
	opts := manager.DefaultOptions()
	opts.Cluster, opts.InitialTime = name, 0
	m, err := manager.Start(ctx, b.conn, opts)
	if err != nil {
		return nil, nil, err
	}
	use = func() error { return m.Reconfigure(ctx, opts.Settings) }
	return use, m.Close, nil
}

func (b *background) replica(ctx context.Context, _ int) (use, stop func() error, err error) {
	opts := raft.DefaultOptions()
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	opts.Addr, opts.Peers = addr, []string{addr}
	r, err := raft.Start(opts)
	if err != nil {
		return nil, nil, err
	}
	use = func() error {
		_, err := r.Status(ctx)
		return err
	}
	return use, r.Close, nil
}

func (b *background) worker(ctx context.Context, round int) (use, stop func() error, err error) {
	w, err := worker.Join(ctx, b.conn, workerOptions("worker", round))
	if err != nil {
		return nil, nil, err
	}
	return func() error { return w.Drain(ctx) }, func() error { return ignore(w.Quit(ctx), worker.ErrQuit) }, nil
}

// workerOptions have a load that takes no time to measure: the processor's
// takes 200 ms for its first.
func workerOptions(name string, round int) worker.Options {
	return worker.Options{
		Cluster: cluster, Purpose: "sample", ID: fmt.Sprint(name, "-", round),
		Load: load.Func(func() float64 { return 0 }),
	}
}

func (b *background) agent(ctx context.Context, round int) (use, stop func() error, err error) {
	a, err := agent.Start(ctx, b.conn, agent.Options{
		Worker: workerOptions("agent", round),
		Launcher: agent.InProcess(func(ctx context.Context, _ process.Spec, ready func()) error {
			ready()
			<-ctx.Done()
			return nil
		}),
	})
	if err != nil {
		return nil, nil, err
	}
	use = func() error {
		_, err := client.New(b.conn, client.Options{Cluster: cluster}).Workers(ctx, "sample")
		return err
	}
	return use, func() error { return a.Close(ctx) }, nil
}

func (b *background) node(ctx context.Context, round int) (use, stop func() error, err error) {
	id := fmt.Sprint("node-", round)
	ctx, cancel := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan struct{})
	var served error
	go func() {
		defer close(ended)
		served = node.Serve(ctx, b.conn, idle{}, node.Options{ID: id, Agent: "no-agent", Purpose: "sample"}, func() { close(ready) })
	}()
	select {
	case <-ready:
	case <-ended:
		cancel()
		return nil, nil, served
	}
	use = func() error {
		_, err := b.conn.Call(ctx, id, "status")
		return err
	}
	return use, func() error { cancel(); <-ended; return served }, nil
}

// idle is the work of a node that gets none.
type idle struct{}

func (idle) Check(json.RawMessage) error { return nil }

func (idle) Do(ctx context.Context, _ *node.Task) error { <-ctx.Done(); return nil }

// freeAddr is an address that no one listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// Package mustertest runs a whole cluster inside a test: a message queue, a manager
// and workers, each on a connection of its own, without another process.
//
//	func TestPlaces(t *testing.T) {
//		fleet := mustertest.Fleet(t, mustertest.Workers("video", 3)...)
//		placed, err := fleet.Client.Schedule(t.Context(), client.Request{Purpose: "video", Task: "mix"})
//		...
//	}
//
// The manager and the queue are those of `muster up`, so that what passes here is what
// happens there. They are linked into the test: keep this package out of programs.
package mustertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// startTime bounds the start of a cluster, a connection or a worker.
const startTime = 30 * time.Second

// loadInterval is shorter than a worker's keep-alive, so that the first load does not
// wait for one.
const loadInterval = 100 * time.Millisecond

// Cluster is a running cluster. Its methods may be called from several goroutines.
type Cluster struct {
	// URL is where other connections reach the message queue.
	URL string
	// Conn is a connection for the test, and Client asks the manager over it.
	Conn   bus.Conn
	Client *client.Client

	queue   *natsserver.Server
	serving bus.Conn // the manager's
	manager *manager.Manager

	mu      sync.Mutex
	workers []*member
	dialed  []bus.Conn
}

// member is a worker with the connection that is its alone.
type member struct {
	*worker.Worker
	conn bus.Conn
}

// Workers returns the options of n workers of a purpose, named PURPOSE-1 and so on.
func Workers(purpose string, n int) []worker.Options {
	out := make([]worker.Options, n)
	for i := range out {
		out[i] = worker.Options{Purpose: purpose, ID: fmt.Sprintf("%s-%d", purpose, i+1)}
	}
	return out
}

// Fleet starts a cluster with these workers, which ends with the test. All of them
// can be given tasks when it returns. A worker without a Load has the load 0, so that
// where tasks go depends on the tasks alone, and one without a LoadInterval reports it
// soon.
func Fleet(t testing.TB, workers ...worker.Options) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), workers...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Start is Fleet where there is no test, as in an example. The caller closes the
// cluster.
func Start(ctx context.Context, workers ...worker.Options) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c := &Cluster{}
	if err := c.start(ctx, workers); err != nil {
		return nil, errors.Join(fmt.Errorf("mustertest: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, workers []worker.Options) (err error) {
	if c.queue, err = natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"}); err != nil {
		return err
	}
	c.URL = c.queue.URL()
	if c.serving, err = c.connect(ctx); err != nil {
		return err
	}
	opts := manager.DefaultOptions()
	opts.Cluster, opts.InitialTime = client.DefaultCluster, 0
	if c.manager, err = manager.Start(ctx, c.serving, opts); err != nil {
		return err
	}
	if c.Conn, err = c.connect(ctx); err != nil {
		return err
	}
	c.Client = client.New(c.Conn, client.Options{})
	for _, o := range workers {
		if _, err := c.join(ctx, o); err != nil {
			return err
		}
	}
	return c.awaitLoads(ctx)
}

func (c *Cluster) connect(ctx context.Context) (bus.Conn, error) {
	conn, err := natsbus.DialInProcess(ctx, c.queue, bus.Options{})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// Dial opens another connection, which ends with the cluster.
func (c *Cluster) Dial(ctx context.Context) (bus.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("mustertest: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialed = append(c.dialed, conn)
	return conn, nil
}

// Join adds a worker, and returns when it can be given tasks.
func (c *Cluster) Join(ctx context.Context, o worker.Options) (*worker.Worker, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	w, err := c.join(ctx, o)
	if err == nil {
		err = c.awaitLoads(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("mustertest: %w", err)
	}
	return w, nil
}

func (c *Cluster) join(ctx context.Context, o worker.Options) (*worker.Worker, error) {
	if o.Load == nil {
		o.Load = load.Func(func() float64 { return 0 })
	}
	o.LoadInterval = cmp.Or(o.LoadInterval, loadInterval)
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	w, err := worker.Join(ctx, conn, o)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workers = append(c.workers, &member{w, conn})
	return w, nil
}

// awaitLoads waits until the manager knows the load of every worker: it places nothing
// on one before.
func (c *Cluster) awaitLoads(ctx context.Context) error {
	for {
		known, err := c.Client.Workers(ctx, "")
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(known, func(w muster.Worker) bool { return w.NoLoad }) {
			return nil
		}
		if !pause.For(ctx, 5*time.Millisecond) {
			return fmt.Errorf("a worker reports no load: %w", ctx.Err())
		}
	}
}

// Workers are those that have joined and were not killed, in the order in which they
// joined.
func (c *Cluster) Workers() []*worker.Worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*worker.Worker
	for _, m := range c.workers {
		out = append(out, m.Worker)
	}
	return out
}

// Kill cuts a worker off without a word, as a crash does, and has the manager give it
// up at once instead of after ten seconds of silence. When it returns the worker is
// gone, and its tasks can be placed again.
func (c *Cluster) Kill(ctx context.Context, id string) error {
	c.mu.Lock()
	i := slices.IndexFunc(c.workers, func(m *member) bool { return m.ID() == id })
	if i < 0 {
		c.mu.Unlock()
		return fmt.Errorf("mustertest: no worker %s", id)
	}
	killed := c.workers[i]
	c.workers = slices.Delete(c.workers, i, i+1)
	c.mu.Unlock()
	err := killed.conn.Close()
	<-killed.Done()
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	_, quit := c.Conn.Call(ctx, client.DefaultCluster, "quit", id)
	if err = errors.Join(err, quit); err != nil {
		return fmt.Errorf("mustertest: kill %s: %w", id, err)
	}
	return nil
}

// Close ends the workers, the manager and the queue, and waits until they are gone.
// What runs on the workers is not waited for.
func (c *Cluster) Close() error {
	c.mu.Lock()
	workers, dialed := c.workers, c.dialed
	c.workers, c.dialed = nil, nil
	c.mu.Unlock()
	var errs []error
	for _, m := range workers {
		errs = append(errs, m.conn.Close())
		<-m.Done()
	}
	for _, conn := range append(dialed, c.Conn) {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	if c.manager != nil {
		errs = append(errs, c.manager.Close())
	}
	if c.serving != nil {
		errs = append(errs, c.serving.Close())
	}
	if c.queue != nil {
		errs = append(errs, c.queue.Close())
	}
	return errors.Join(errs...)
}

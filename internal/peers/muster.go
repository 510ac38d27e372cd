package peers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/bench/testbed"
	"github.com/muster-fleet/muster/internal/systemtest/cluster"
)

// managerConfig lets a placement add so little load that no worker fills.
const managerConfig = `
[manager]
initial_time = 0
[strategy]
webrtc = "least-used"
[placement]
debit = 0.000001
`

// reserve bounds the tasks that the managers hold to what is placed in it.
const reserve = time.Second

// fleet is Muster: managers, one NATS server, and workers that keep alive.
type fleet struct {
	servers *servers
	url     string
	cluster string
	status  bus.Conn
	managed *cluster.Cluster
	joined  bus.Conn
	workers *testbed.Workers
	conns   []bus.Conn
	clients []*client.Client
}

func startMuster(ctx context.Context, o Options, n int) (contender, error) {
	s, err := newServers(o.Disk)
	if err != nil {
		return nil, err
	}
	f := &fleet{servers: s, cluster: fmt.Sprintf("muster-peers-%d", os.Getpid())}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if f.url, err = s.startNATS(o.NATS, 1); err == nil {
		err = f.start(ctx, o, n)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *fleet) dial(ctx context.Context) (bus.Conn, error) {
	return natsbus.Dial(ctx, bus.Options{URL: f.url, Name: f.cluster})
}

func (f *fleet) start(ctx context.Context, o Options, n int) error {
	err := eventually(ctx, func(ctx context.Context) (err error) {
		f.status, err = f.dial(ctx)
		return err
	})
	if err != nil {
		return err
	}
	opts := cluster.Options{Program: o.Muster, URL: f.url, Name: f.cluster, Managers: n, Config: managerConfig + o.config}
	if o.Disk != "" {
		opts.Data = f.servers.dir
	}
	f.managed, err = cluster.Start(f.status, opts)
	if err != nil {
		return err
	}
	if err := f.managed.AwaitHealth(ctx); err != nil {
		return err
	}
	if f.joined, err = f.dial(ctx); err != nil {
		return err
	}
	made := testbed.NewFleet(o.Workers, 1, 1, 0.1, 0, rand.New(rand.NewPCG(1, 0)))
	if f.workers, err = testbed.Join(ctx, f.joined, f.cluster, made, testbed.SignsOWT); err != nil {
		return err
	}
	if err := f.connect(ctx, 1); err != nil {
		return err
	}
	// The first reports of load must have arrived.
	return eventually(ctx, func(ctx context.Context) error {
		_, err := f.claim(ctx, 0, "task-first")
		return err
	})
}

func (f *fleet) connect(ctx context.Context, callers int) error {
	f.disconnect()
	for range callers {
		conn, err := f.dial(ctx)
		if err != nil {
			return err
		}
		f.conns = append(f.conns, conn)
		f.clients = append(f.clients, client.New(conn, client.Options{Cluster: f.cluster}))
	}
	return nil
}

// claim counts the client's own repetitions as one try: there are none while
// the leader stays.
func (f *fleet) claim(ctx context.Context, caller int, task string) (int, error) {
	_, err := f.clients[caller].Schedule(ctx, request(task))
	return 1, err
}

func (f *fleet) claimMany(ctx context.Context, caller int, tasks []string) error {
	requests := make([]client.Request, len(tasks))
	for i, task := range tasks {
		requests[i] = request(task)
	}
	outcomes, err := f.clients[caller].ScheduleMany(ctx, requests)
	for i := range outcomes {
		if err == nil {
			err = outcomes[i].Err
		}
	}
	return err
}

func request(task string) client.Request {
	return client.Request{Purpose: testbed.Purpose, Task: task, ISP: "isp-0", Region: "region-0", Reserve: reserve}
}

func (f *fleet) disconnect() {
	for _, conn := range f.conns {
		_ = conn.Close()
	}
	f.conns, f.clients = nil, nil
}

func (f *fleet) close() {
	f.disconnect()
	if f.workers != nil {
		f.workers.Close()
	}
	if f.managed != nil {
		f.managed.Close()
	}
	var errs []error
	for _, conn := range slices.DeleteFunc([]bus.Conn{f.joined, f.status}, func(c bus.Conn) bool { return c == nil }) {
		errs = append(errs, conn.Close())
	}
	_ = errors.Join(errs...) // the run has ended
	f.servers.close()
}

package web_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/httpapi"
	"github.com/muster-fleet/muster/internal/manager"
)

// cluster is a message queue, a manager and an HTTP server, all of them real; its
// workers join over the queue and do nothing.
type cluster struct {
	t      *testing.T
	ctx    context.Context
	url    string // of the queue
	conn   bus.Conn
	client *client.Client
	server *httpapi.Server
}

func startCluster(t *testing.T, opts httpapi.Options) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { _ = queue.Close() })
	dial := func() bus.Conn {
		conn, err := natsbus.Dial(ctx, bus.Options{URL: queue.URL()})
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	settings := manager.DefaultOptions()
	settings.InitialTime, settings.CheckAliveInterval, settings.Version = 0, time.Hour, "v1.0.0"
	m, err := manager.Start(ctx, dial(), settings)
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	c := &cluster{t: t, ctx: ctx, url: queue.URL(), conn: dial()}
	c.client = client.New(c.conn, client.Options{})
	opts.Cluster, opts.Queue, opts.Name, opts.Version, opts.Rate, opts.Burst = c.client, dial(), client.DefaultCluster, "v1.0.0", 10_000, 10_000
	opts.Settings = func() []httpapi.Setting {
		return []httpapi.Setting{{Key: "manager.name", Value: "owt-cluster", Origin: "default"}, {Key: "http.addr", Value: "127.0.0.1:8080", Origin: "--http"}}
	}
	c.server, err = httpapi.New(opts)
	must(t, err)
	must(t, c.server.Start(ctx, httpapi.Listening{Addr: "127.0.0.1:0"}))
	t.Cleanup(func() { _ = c.server.Close() })
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call asks the manager as a worker does.
func (c *cluster) call(method string, args ...any) {
	c.t.Helper()
	_, err := c.conn.Call(c.ctx, client.DefaultCluster, method, args...)
	must(c.t, err)
}

// kinds are what the fleet is made of.
var kinds = []struct {
	purpose string
	share   int // of 20
	labels  map[string]string
	slots   int
}{
	{"webrtc", 9, map[string]string{"nic": "25g"}, 40},
	{"video", 5, map[string]string{"gpu": "a100"}, 8},
	{"recording", 3, map[string]string{"disk": "nvme"}, 12},
	{"audio", 2, nil, 60},
	{"analytics", 1, map[string]string{"gpu": "t4"}, 4},
}

var regions = []string{"eu-west", "us-east", "ap-south"}

// fleet lets so many workers join, with loads that differ and tasks that run, and
// returns their ids.
func (c *cluster) fleet(n int) (ids []string) {
	c.t.Helper()
	for i := range n {
		kind := kinds[0]
		for at, left := 0, i%20; ; at++ {
			if kind = kinds[at]; left < kind.share {
				break
			}
			left -= kind.share
		}
		id := fmt.Sprintf("%s-%04x@10.0.%d.%d", kind.purpose, 0xa000+i*7919%0x5fff, i/250, i%250+1)
		info := map[string]any{
			"ip": fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), "max_tasks": kind.slots, "labels": kind.labels, "maxLoad": 0.9,
			"capacity": map[string]any{"isps": []string{}, "regions": []string{regions[i*3/n%3]}},
		}
		load := float64((i*37)%100) / 100
		load *= load
		must(c.t, c.conn.Cast(c.ctx, client.DefaultCluster, "join", kind.purpose, id, info))
		must(c.t, c.conn.Cast(c.ctx, client.DefaultCluster, "reportState", id, map[bool]int{true: 1, false: 2}[i%41 == 40]))
		must(c.t, c.conn.Cast(c.ctx, client.DefaultCluster, "reportLoad", id, load))
		tasks := []string{}
		for k := range int(load * float64(kind.slots)) {
			tasks = append(tasks, fmt.Sprintf("room-%d-%d", i, k))
		}
		c.call("pickUpTasks", id, tasks) // answered, so that no more is on its way than the manager takes
		ids = append(ids, id)
	}
	return ids
}

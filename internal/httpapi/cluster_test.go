package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/httpapi"
	"github.com/muster-fleet/muster/internal/manager"
)

// cluster is a message queue, a manager and an HTTP server, all of them real.
type cluster struct {
	t      *testing.T
	ctx    context.Context
	url    string // of the queue
	conn   bus.Conn
	client *client.Client
	server *httpapi.Server
}

// startCluster starts one whose server has these options beside what it needs.
func startCluster(t *testing.T, opts httpapi.Options) *cluster {
	t.Helper()
	return startClusterOf(t, opts, 0)
}

// startClusterOf starts one whose manager only gathers workers for a time.
func startClusterOf(t *testing.T, opts httpapi.Options, initial time.Duration) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { _ = queue.Close() })
	c := &cluster{t: t, ctx: ctx, url: queue.URL()}
	c.conn = c.dial()
	settings := manager.DefaultOptions()
	settings.InitialTime = initial
	settings.CheckAliveInterval = time.Hour // the workers here are only names
	m, err := manager.Start(ctx, c.dial(), settings)
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	c.client = client.New(c.conn, client.Options{})
	c.server = c.serve(opts)
	return c
}

func (c *cluster) dial() bus.Conn {
	conn, err := natsbus.Dial(c.ctx, bus.Options{URL: c.url})
	must(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// serve starts another HTTP server of the cluster.
func (c *cluster) serve(opts httpapi.Options) *httpapi.Server {
	c.t.Helper()
	opts.Cluster, opts.Queue, opts.Name = c.client, c.conn, client.DefaultCluster
	s, err := httpapi.New(opts)
	must(c.t, err)
	must(c.t, s.Start(c.ctx, httpapi.Listening{Addr: "127.0.0.1:0"}))
	c.t.Cleanup(func() { _ = s.Close() })
	return s
}

// call asks the manager as a worker does.
func (c *cluster) call(method string, args ...any) {
	c.t.Helper()
	_, err := c.conn.Call(c.ctx, client.DefaultCluster, method, args...)
	must(c.t, err)
}

// worker lets a worker join, idle.
func (c *cluster) worker(purpose, id string, info map[string]any) {
	c.t.Helper()
	c.call("join", purpose, id, info)
	c.call("reportState", id, 2)
	c.call("reportLoad", id, 0.25)
}

// do sends a request, and returns the status and the body.
func (c *cluster) do(method, path string, body any, headers ...string) (int, []byte, http.Header) {
	c.t.Helper()
	req := c.request(method, path, body, headers...)
	res, err := http.DefaultClient.Do(req)
	must(c.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	must(c.t, err)
	return res.StatusCode, raw, res.Header
}

func (c *cluster) request(method, path string, body any, headers ...string) *http.Request {
	c.t.Helper()
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		must(c.t, err)
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(c.ctx, method, c.server.URL()+path, sent)
	must(c.t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	return req
}

// get reads an answer of status 200.
func get[T any](c *cluster, path string) (out T) {
	c.t.Helper()
	status, raw, _ := c.do(http.MethodGet, path, nil)
	if status != http.StatusOK {
		c.t.Fatalf("GET %s: %d %s", path, status, raw)
	}
	must(c.t, json.Unmarshal(raw, &out))
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fleet lets so many workers join: webrtc in eu and us, video with labels.
func (c *cluster) fleet(n int) {
	for i := range n {
		purpose, info := "webrtc", map[string]any{"capacity": map[string]any{"isps": []string{}, "regions": []string{[]string{"eu", "us"}[i%2]}}}
		if i%3 == 0 {
			purpose, info["labels"] = "video", map[string]string{"gpu": []string{"a100", "t4"}[i%2]}
		}
		info["max_tasks"] = 20
		c.worker(purpose, fmt.Sprintf("%s-%04d", purpose, i), info)
	}
}

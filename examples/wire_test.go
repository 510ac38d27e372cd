package examples

import (
	"bufio"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/connect"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

// TestWorkerInJavaScript runs the worker of docs/wire.md on NATS.
func TestWorkerInJavaScript(t *testing.T) {
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() })
	address, err := url.Parse(queue.URL())
	if err != nil {
		t.Fatal(err)
	}
	testForeignWorker(t, queue.URL(), "node", here(t, "wire/worker.js"), address.Host, "sample")
}

// TestWorkerInPython runs the worker of docs/wire.md on RabbitMQ.
func TestWorkerInPython(t *testing.T) {
	broker := rabbittest.Start(t)
	testForeignWorker(t, broker.URL(), "/usr/bin/python3", here(t, "wire/worker.py"), broker.URL(), "sample")
}

// testForeignWorker takes a worker that is not written in Go through its life:
// it joins, gets a task, runs it, ends it, outlives two keep-alives, and quits.
func testForeignWorker(t *testing.T, queue string, program ...string) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	conn, err := connect.Open(ctx, bus.Options{URL: queue})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	options := manager.DefaultOptions()
	options.InitialTime = 0
	m, err := manager.Start(ctx, conn, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })

	exits := make(chan string, 1)
	if _, err := conn.Subscribe(ctx, bus.TopicMonitoring, "exit.#", func(key string, _ json.RawMessage) { exits <- key }); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	worker := strings.TrimSpace(line)
	c := client.New(conn, client.Options{})

	placed, err := c.Schedule(ctx, client.Request{Purpose: "sample", Task: "a task"})
	if err != nil || placed.Worker != worker {
		t.Fatalf("placed on %+v, %v, want on %s", placed, err, worker)
	}
	if answer, err := conn.Call(ctx, worker, "start", "a task"); err != nil || string(answer) != `"running a task"` {
		t.Fatalf("start: %s, %v", answer, err)
	}
	awaitTask(t, ctx, c, "running")
	if _, err := conn.Call(ctx, worker, "dance"); err == nil || !strings.Contains(err.Error(), muster.ReasonUnsupported.Text) {
		t.Errorf("an unknown method: %v", err)
	}
	if answer, err := conn.Call(ctx, worker, "stop", "a task"); err != nil || string(answer) != `"ok"` {
		t.Fatalf("stop: %s, %v", answer, err)
	}
	awaitTask(t, ctx, c, "reserved")

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the worker ended with %v", err)
	}
	select {
	case key := <-exits:
		if key != "exit.quit" {
			t.Errorf("its end was announced as %s", key)
		}
	case <-ctx.Done():
		t.Fatal("its end was not announced")
	}
}

// awaitTask waits until the manager has the only task in that state.
func awaitTask(t *testing.T, ctx context.Context, c *client.Client, state string) {
	t.Helper()
	for {
		tasks, err := c.ListTasks(ctx, "sample")
		if err != nil {
			t.Fatalf("the task is not %s: %v", state, err)
		}
		if len(tasks) == 1 && string(tasks[0].State) == state {
			return
		}
	}
}

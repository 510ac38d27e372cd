package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig runs a node whose agent is the test.
type rig struct {
	t      *testing.T
	ctx    context.Context
	end    context.CancelFunc
	conn   bus.Conn
	client *client.Client
	// recycled receives what the node reported to its agent.
	recycled chan string
	served   chan error
}

func serve(t *testing.T, w node.Work, opts node.Options) *rig {
	t.Helper()
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	conn, err := natsbus.Dial(ctx, bus.Options{URL: queue.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r := &rig{t: t, ctx: ctx, end: cancel, conn: conn, client: client.New(conn, client.Options{}),
		recycled: make(chan string, 16), served: make(chan error, 1)}
	if _, err := conn.Serve(ctx, "agent", func(q *bus.Request) {
		r.recycled <- fmt.Sprintf("%s %s %s", q.Method, q.Args[0], q.Args[1])
		q.Reply("ok")
	}); err != nil {
		t.Fatal(err)
	}
	opts.ID, opts.Agent, opts.Purpose = "agent_0", "agent", "video"
	ready := make(chan struct{})
	go func() { r.served <- node.Serve(ctx, conn, w, opts, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-r.served:
		t.Fatal(err)
	}
	t.Cleanup(r.ends)
	return r
}

// ends stops the node and waits for it.
func (r *rig) ends() {
	r.end()
	if err := <-r.served; err != nil {
		r.t.Error(err)
	}
	r.served <- nil
}

func (r *rig) start(task, spec string) error {
	return r.client.StartTask(r.ctx, "agent_0", muster.TaskOrder{Task: task, Room: "room", Spec: json.RawMessage(spec)})
}

func (r *rig) stats(task string) muster.TaskReport {
	r.t.Helper()
	report, err := r.client.TaskStats(r.ctx, "agent_0", task)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

type work func(ctx context.Context, t *node.Task) error

func (w work) Check(spec json.RawMessage) error {
	if string(spec) == `{"size":0}` {
		return errors.New("size must be positive")
	}
	return nil
}

func (w work) Do(ctx context.Context, t *node.Task) error { return w(ctx, t) }

func TestATaskFromStartToEnd(t *testing.T) {
	finish := make(chan struct{})
	reported := make(chan struct{})
	r := serve(t, work(func(_ context.Context, t *node.Task) error {
		t.Report(node.Progress{Share: 0.25, Detail: map[string]int{"frames": 7}})
		close(reported)
		<-finish
		return errors.New("disk full")
	}), node.Options{Linger: time.Hour})
	for range 2 { // a repeated start does no harm
		if err := r.start("clip", `{"size":1}`); err != nil {
			t.Fatal(err)
		}
	}
	<-reported
	got := r.stats("clip")
	if got.State != muster.TaskRunning || got.Progress == nil || *got.Progress != 0.25 || string(got.Detail) != `{"frames":7}` ||
		got.Node != "agent_0" || got.Room != "room" || got.Seconds <= 0 {
		t.Errorf("got %+v", got)
	}
	close(finish)
	for r.stats("clip").State == muster.TaskRunning {
	}
	if got := r.stats("clip"); got.State != muster.TaskFailed || got.Error != "disk full" {
		t.Errorf("got %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	r := serve(t, work(func(ctx context.Context, _ *node.Task) error { <-ctx.Done(); return nil }), node.Options{})
	if err := r.start("clip", `{"size":1}`); err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"spec: size must be positive":               r.start("other", `{"size":0}`),
		"task is missing":                           r.start("", `1`),
		muster.ReasonTaskTaken.Text:                 r.start("clip", `{"size":2}`),
		"No such a task":                            r.client.StopTask(r.ctx, "agent_0", "ghost"),
		"argument 1 is missing":                     call(r, "stats"),
		"argument 1: json: cannot unmarshal number": call(r, "stop", 1),
		muster.ReasonUnsupported.Text:               call(r, "dance"),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := r.client.TaskStats(r.ctx, "agent_0", "ghost"); !errors.Is(err, client.ErrNoTask) {
		t.Errorf("got %v, want ErrNoTask", err)
	}
}

func call(r *rig, method string, args ...any) error {
	_, err := r.client.Call(r.ctx, "agent_0", method, args...)
	return err
}

// The node reports an ended task and its result to the agent. A panic is a failure
// of that task alone.
func TestTheAgentIsTold(t *testing.T) {
	r := serve(t, work(func(_ context.Context, t *node.Task) error {
		if t.Name == "boom" {
			panic("overrun")
		}
		return nil
	}), node.Options{Linger: time.Millisecond})
	if err := r.start("clip", `1`); err != nil {
		t.Fatal(err)
	}
	if got, want := <-r.recycled, `recycleNode "agent_0" {"room":"room","task":"clip","result":{"state":"done"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := r.start("boom", `1`); err != nil {
		t.Fatal(err)
	}
	if got := <-r.recycled; !strings.Contains(got, `"task":"boom","result":{"state":"failed","error":"panic: overrun`) {
		t.Errorf("got %s", got)
	}
}

// stop answers when the task has ended, and the end counts as done.
func TestStop(t *testing.T) {
	ended := false
	r := serve(t, work(func(ctx context.Context, _ *node.Task) error {
		<-ctx.Done()
		ended = true
		return ctx.Err()
	}), node.Options{Linger: time.Hour})
	if err := r.start("clip", `1`); err != nil {
		t.Fatal(err)
	}
	if err := r.client.StopTask(r.ctx, "agent_0", "clip"); err != nil || !ended {
		t.Errorf("ended %v, %v", ended, err)
	}
	if got := r.stats("clip"); got.State != muster.TaskDone || got.Error != "" {
		t.Errorf("got %+v", got)
	}
}

// A task without a result counts as failed when it is stopped. If its node ends, another
// attempt may help.
func TestStopWithoutResult(t *testing.T) {
	r := serve(t, work(func(ctx context.Context, _ *node.Task) error {
		<-ctx.Done()
		return fmt.Errorf("film: %w", node.ErrUnfinished)
	}), node.Options{Linger: time.Hour})
	for _, task := range []string{"clip", "other"} {
		if err := r.start(task, `1`); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.client.StopTask(r.ctx, "agent_0", "clip"); err != nil {
		t.Fatal(err)
	}
	if got := r.stats("clip"); got.State != muster.TaskFailed || got.Cause != muster.CauseStopped || !strings.Contains(got.Error, "stopped before") {
		t.Errorf("got %+v", got)
	}
	last := make(chan muster.TaskReport, 1)
	go func() {
		report, _ := r.client.AwaitTask(r.ctx, "agent_0", "other", time.Minute)
		last <- report
	}()
	r.ends()
	if got := <-last; got.State == muster.TaskDone || got.Cause == muster.CauseStopped {
		t.Errorf("the node ended, and its task is %+v", got)
	}
}

// A node that is stopped stops its tasks, and waits for them.
func TestTheEndOfANodeEndsItsTasks(t *testing.T) {
	began, ended := make(chan struct{}), false
	r := serve(t, work(func(ctx context.Context, _ *node.Task) error {
		close(began)
		<-ctx.Done()
		ended = true
		return nil
	}), node.Options{})
	if err := r.start("clip", `1`); err != nil {
		t.Fatal(err)
	}
	<-began
	r.ends()
	if !ended {
		t.Error("the node ended before its task")
	}
}

func TestEventsAreTold(t *testing.T) {
	r := serve(t, work(func(_ context.Context, t *node.Task) error {
		t.Notify("black_start", map[string]float64{"seconds": 1.5})
		return nil
	}), node.Options{Linger: time.Hour})
	heard := make(chan string, 1)
	if _, err := r.conn.Subscribe(r.ctx, bus.TopicTasks, "#", func(key string, body json.RawMessage) {
		heard <- key + " " + string(body)
	}); err != nil {
		t.Fatal(err)
	}
	if err := r.start("clip", `1`); err != nil {
		t.Fatal(err)
	}
	want := `video.event {"task":"clip","room":"room","node":"agent_0","purpose":"video","event":"black_start","data":{"seconds":1.5}}`
	if got := <-heard; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestANodeWithoutAnAgentSaysWhatIsMissing(t *testing.T) {
	err := node.Run(context.Background(), work(nil), node.Options{ID: "x"})
	if err == nil || !strings.Contains(err.Error(), "MUSTER_AGENT") {
		t.Errorf("got %v", err)
	}
}

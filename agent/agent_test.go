package agent

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/worker"
)

func sample(l process.Launcher) Options {
	return Options{Worker: worker.Options{Purpose: "sample"}, Launcher: l}
}

func TestDrainLetsTasksEnd(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	launcher, _ := obedient()
	a := f.start(sample(launcher))
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	f.is(`"ok"`, a, "drain")
	f.schedule("sample", "other", client.ErrNoWorker)
	f.is("agent not ready", a, "getNode", arg("room1", "task2"))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	drained := make(chan error, 1)
	go func() { drained <- a.Drain(f.ctx) }()
	f.is(`"ok"`, a, "recycleNode", "sample-1_0", arg("room1", "task1"))
	if err := <-drained; err != nil {
		t.Error(err)
	}
	f.until(a, "no nodes", func(p *pool) bool { return len(p.nodes) == 0 })
}

func TestDrainEndsTasksWhenItsTimeIsOver(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	launcher, _ := obedient()
	a := f.start(sample(launcher))
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	now, cancel := context.WithCancel(f.ctx)
	cancel()
	if err := a.Drain(now); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 tasks were ended") {
		t.Errorf("drain: %v", err)
	}
	f.expect("sample.failed", `{"task":"task1","room":"room1","node":"sample-1_0","worker":"sample-1","purpose":"sample",`+
		`"error":"the agent was drained, and the time for that was over"}`)
	f.until(a, "no nodes", func(p *pool) bool { return len(p.nodes) == 0 })
}

func TestCloseLeavesStubbornNodesBehind(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	release, ended := make(chan struct{}), make(chan struct{}, 2)
	a := f.start(sample(InProcess(func(ctx context.Context, _ process.Spec, ready func()) error {
		ready()
		<-release // and not ctx
		ended <- struct{}{}
		return nil
	})))
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	f.until(a, "an idle node", inState(muster.NodeIdle, 2))
	now, cancel := context.WithCancel(f.ctx)
	cancel()
	if err := a.Close(now); err != nil {
		t.Error(err)
	}
	if err := a.Close(f.ctx); err != nil || !errors.Is(a.Err(), worker.ErrQuit) || a.Nodes() != nil {
		t.Errorf("closed again: %v, ended with %v, nodes %v", err, a.Err(), a.Nodes())
	}
	if err := a.Drain(f.ctx); !errors.Is(err, worker.ErrQuit) {
		t.Errorf("drain after close: %v", err)
	}
	f.expect("exit.quit", `{"reason":"quit","message":{"purpose":"sample","id":"sample-1","type":"worker"}}`)
	close(release)
	<-ended
	<-ended
}

func TestConnClosedEndsTheAgent(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	launcher, _ := obedient()
	opts := sample(launcher)
	opts.Worker.ID = "sample-1"
	conn := f.dial()
	a, err := Start(f.ctx, conn, opts)
	if err != nil {
		t.Fatal(err)
	}
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	_ = conn.Close()
	<-a.Done()
	if !errors.Is(a.Err(), bus.ErrClosed) || a.Nodes() != nil {
		t.Errorf("ended with %v, nodes %v", a.Err(), a.Nodes())
	}
}

func TestManagerGaveTasksUp(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	launcher, _ := obedient()
	opts := sample(launcher)
	dropped := make(chan []string, 1)
	opts.Worker.OnTasksDropped = func(_ *worker.Worker, tasks []string) { dropped <- tasks }
	a := f.start(opts)
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	f.is(`"sample-1_1"`, a, "getNode", arg("room2", "task2"))
	a.Worker().RemoveTask("task1") // as the worker does before it reports what was dropped
	a.workerOptions().OnTasksDropped(a.Worker(), []string{"task1", "unknown"})
	if got := <-dropped; len(got) != 2 {
		t.Errorf("the caller's callback got %v", got)
	}
	f.expect("sample.failed", `{"task":"task1","room":"room1","node":"sample-1_0","worker":"sample-1","purpose":"sample","error":"the manager gave the task up"}`)
	f.until(a, "the node's end", func(p *pool) bool { return p.find("sample-1_0") == nil })
	f.is(`"sample-1_1"`, a, "queryNode", "room2")
}

func TestHandlersAreKept(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	launcher, _ := obedient()
	opts := sample(launcher)
	opts.Worker.Handlers = map[string]worker.Handler{
		"hello": func(_ context.Context, _ *worker.Worker, r *bus.Request) { r.Reply("there") },
	}
	a := f.start(opts)
	f.is(`"there"`, a, "hello")
	f.is("Not found", a, "readLog", muster.LogQuery{Node: "sample-1_0"})
	f.is("argument 1 is missing", a, "queryTask")
}

func TestInProcess(t *testing.T) {
	for what, test := range map[string]struct {
		run  func(ctx context.Context, s process.Spec, ready func()) error
		want string
	}{
		"ends well": {func(context.Context, process.Spec, func()) error { return nil }, ""},
		"fails":     {func(context.Context, process.Spec, func()) error { return errCrash }, "signal: killed"},
		"panics":    {func(context.Context, process.Spec, func()) error { panic("no licence") }, "panic: no licence"},
	} {
		n, err := InProcess(test.run).Launch(t.Context(), process.Spec{})
		if err != nil {
			t.Fatal(err)
		}
		<-n.Done()
		if err := n.Err(); (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("a node that %s ended with %v", what, err)
		}
		n.Stop(time.Hour)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	launcher, _ := obedient()
	mine := map[string]worker.Handler{"getNode": nil}
	for want, o := range map[string]Options{
		"Launcher":        {Worker: worker.Options{Purpose: "p"}},
		"Purpose":         {Launcher: launcher},
		"getNode":         {Worker: worker.Options{Purpose: "p", Handlers: mine}, Launcher: launcher},
		"Policy.MaxNodes": {Worker: worker.Options{Purpose: "p"}, Launcher: launcher, Policy: Policy{Prerun: 1}},
		"Policy.Prerun":   {Worker: worker.Options{Purpose: "p"}, Launcher: launcher, Policy: Policy{Prerun: -1, MaxNodes: 1}},
		"ReuseWhenFull":   {Worker: worker.Options{Purpose: "p"}, Launcher: launcher, Policy: Policy{MaxNodes: 1, PerTask: true, ReuseWhenFull: true}},
		"StopGrace":       {Worker: worker.Options{Purpose: "p"}, Launcher: launcher, StopGrace: -1},
		"AnswerWithin":    {Worker: worker.Options{Purpose: "p"}, Launcher: launcher, AnswerWithin: -1},
		"ReadyTimeout":    {Worker: worker.Options{Purpose: "p"}, Launcher: launcher, ReadyTimeout: -1},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error that names %s, not %v", want, err)
		}
		if _, err := Start(t.Context(), nil, o); err == nil {
			t.Errorf("started in spite of %s", want)
		}
	}
}

// Between the answer to a claim and the start of its program the task can end,
// if it ran for another caller. Its slot may be given away by then.
func TestATaskThatEndedSinceItWasClaimedDoesNotBegin(t *testing.T) {
	f := newFleet(t, 30*time.Second)
	launcher, _ := obedient()
	a := f.start(sample(launcher))
	answered := make(chan bus.Reply, 1)
	room := "room1"
	r := bus.NewRequest(bus.Call{Method: "getNode", CorrID: []byte("1")}, func(r bus.Reply) { answered <- r })
	a.owner.do(func(p *pool, now time.Time) {
		a.claimed(t.Context(), p, now, untraced(r), taskArg{Room: &room, Task: "task1"})
	})
	select {
	case reply := <-answered:
		if reply.Err != muster.ReasonEarlyRecycled.Text {
			t.Errorf("the caller is answered %s %q", reply.Data, reply.Err)
		}
	case <-f.ctx.Done():
		t.Error("the caller is not answered")
	}
}

package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/state"
	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/node"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleet is a queue, a manager and a client. Agents are added later.
type fleet struct {
	t      *testing.T
	ctx    context.Context
	url    string
	client *client.Client
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	f := &fleet{t: t, ctx: ctx, url: queue.URL()}
	options := manager.DefaultOptions()
	options.InitialTime, options.CheckAliveInterval = 0, 100*time.Millisecond
	options.Placement.Debit = state.Debit{Mode: state.DebitOff}
	m, err := manager.Start(ctx, f.dial(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	f.client = client.New(f.dial(), client.Options{})
	return f
}

func (f *fleet) dial() bus.Conn {
	conn, err := natsbus.Dial(f.ctx, bus.Options{URL: f.url})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// agent adds an agent whose nodes do the work inside this process.
type agentOf struct {
	conn bus.Conn
	*agent.Agent
}

func (f *fleet) agent(id string, maxTasks int, w node.Work) agentOf {
	f.t.Helper()
	return f.agentThatRemembers(id, maxTasks, w)
}

func (f *fleet) agentThatRemembers(id string, maxTasks int, w node.Work, ended ...muster.TaskReport) agentOf {
	f.t.Helper()
	conn := f.dial()
	a, err := agent.Start(f.ctx, conn, agent.Options{
		Ended: ended,
		Worker: worker.Options{
			ID: id, Purpose: "video", MaxTasks: maxTasks, LoadInterval: 50 * time.Millisecond,
			Load: load.Func(func() float64 { return 0 }), Labels: map[string]string{muster.LabelWorker: id},
		},
		Launcher: agent.InProcess(func(ctx context.Context, s process.Spec, ready func()) error {
			return node.Serve(ctx, conn, w, node.Options{ID: s.ID, Agent: s.Agent, Purpose: s.Purpose}, ready)
		}),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil && !errors.Is(err, bus.ErrClosed) {
			f.t.Error(err)
		}
	})
	return agentOf{conn, a}
}

// work is a node's work, as a function. A spec must not be "bad".
type work func(ctx context.Context, t *node.Task) error

func (w work) Check(spec json.RawMessage) error {
	if string(spec) == `"bad"` {
		return errors.New("size must be positive")
	}
	return nil
}

func (w work) Do(ctx context.Context, t *node.Task) error { return w(ctx, t) }

func done(context.Context, *node.Task) error { return nil }

func quick(opts job.Options) job.Options {
	opts.Poll = 10 * time.Millisecond
	return opts
}

func one(task string) job.Job {
	return job.Job{Purpose: "video", Task: task, Spec: json.RawMessage(`"x"`)}
}

// nothingLeft checks that the manager has no tasks left.
func (f *fleet) nothingLeft() {
	f.t.Helper()
	tasks, err := f.client.ListTasks(f.ctx, "video")
	if err != nil || len(tasks) > 0 {
		f.t.Errorf("tasks are left: %v, %v", tasks, err)
	}
}

func TestRunFollowsATaskToItsEnd(t *testing.T) {
	f := newFleet(t)
	said := make(chan struct{})
	a := f.agent("video-1", 0, work(func(ctx context.Context, t *node.Task) error {
		t.Report(node.Progress{Share: 0.5, Detail: map[string]int{"fps": 25}})
		<-said
		return nil
	}))
	half := sync.OnceFunc(func() { close(said) })
	out := job.Run(f.ctx, f.client, one("clip"), quick(job.Options{OnUpdate: func(u job.Update) {
		if p := u.Report.Progress; p != nil && *p == 0.5 && string(u.Report.Detail) == `{"fps":25}` {
			half()
		}
	}}))
	if out.Err != nil || out.Worker != a.ID() || out.Attempts != 1 || out.Report.State != muster.TaskDone {
		t.Errorf("got %+v", out)
	}
	f.nothingLeft()
}

func TestABadSpecIsRefusedOnce(t *testing.T) {
	f := newFleet(t)
	f.agent("video-1", 0, work(done))
	j := one("clip")
	j.Spec = json.RawMessage(`"bad"`)
	out := job.Run(f.ctx, f.client, j, quick(job.Options{}))
	if !errors.Is(out.Err, job.ErrRefused) || !strings.Contains(out.Err.Error(), "size must be positive") || out.Attempts != 1 {
		t.Errorf("got %+v", out)
	}
	f.nothingLeft()
}

func TestAFailedTaskIsDoneAgain(t *testing.T) {
	f := newFleet(t)
	var mu sync.Mutex
	tries := 0
	f.agent("video-1", 0, work(func(context.Context, *node.Task) error {
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries < 3 {
			return fmt.Errorf("no luck %d", tries)
		}
		return nil
	}))
	if out := job.Run(f.ctx, f.client, one("clip"), quick(job.Options{})); out.Err != nil || out.Attempts != 3 {
		t.Errorf("got %+v", out)
	}
	tries = -100
	out := job.Run(f.ctx, f.client, one("clip"), quick(job.Options{Attempts: 2}))
	if !errors.Is(out.Err, job.ErrFailed) || !strings.Contains(out.Err.Error(), "no luck -98") || out.Attempts != 2 {
		t.Errorf("got %+v", out)
	}
	f.nothingLeft()
}

// hopeless is an error whose cause is the input.
type hopeless struct{ error }

func (hopeless) TaskCause() muster.Cause { return muster.CauseInput }

// The agent of the last attempt remembers how a task ended: its attempts, and what its
// node said last; a list of ended tasks has the warnings of it.
func TestAnAgentRemembersHowATaskEnded(t *testing.T) {
	f := newFleet(t)
	var begun atomic.Int32
	f.agent("video-1", 1, work(func(_ context.Context, t *node.Task) error {
		if begun.Add(1) == 1 {
			return errors.New("killed")
		}
		t.Report(node.Progress{Share: 1, Detail: json.RawMessage(`{"fps":25,"warnings":[{"name":"short","text":"..."}]}`)})
		return nil
	}))
	if out := job.Run(f.ctx, f.client, one("clip"), quick(job.Options{By: "batch-1/"})); out.Err != nil {
		t.Fatal(out.Err)
	}
	report, err := f.client.QueryTask(f.ctx, "video-1", "clip")
	if err != nil || report.State != muster.TaskDone || report.Attempt != 2 || !strings.HasPrefix(report.By, "batch-1/") || !strings.Contains(string(report.Detail), `"fps":25`) {
		t.Errorf("got %+v, %v", report, err)
	}
	list, err := f.client.EndedTasks(f.ctx, "video-1", 10)
	if err != nil || len(list) != 1 || list[0].Attempt != 2 || string(list[0].Detail) != `{"warnings":[{"name":"short","text":"..."}]}` {
		t.Errorf("listed are %+v, %v", list, err)
	}
}

// A failure caused by the input is not tried again. After other failures the first
// reason is reported, because later ones may be its consequence.
func TestAHopelessInputIsTriedOnce(t *testing.T) {
	f := newFleet(t)
	f.agent("video-1", 0, work(func(context.Context, *node.Task) error { return hopeless{errors.New("no film")} }))
	out := job.Run(f.ctx, f.client, one("clip"), quick(job.Options{}))
	if !errors.Is(out.Err, job.ErrInput) || !errors.Is(out.Err, job.ErrFailed) || out.Attempts != 1 {
		t.Errorf("got %+v", out)
	}
	f.nothingLeft()
}

func TestTheFirstReasonIsTold(t *testing.T) {
	f := newFleet(t)
	var tries atomic.Int32
	f.agent("video-1", 0, work(func(context.Context, *node.Task) error {
		if tries.Add(1) == 1 {
			return errors.New("the disk is full")
		}
		return errors.New("exists already")
	}))
	out := job.Run(f.ctx, f.client, one("clip"), quick(job.Options{}))
	if out.Err == nil || !strings.Contains(out.Err.Error(), "first: failed: the disk is full; then: failed: exists already") {
		t.Errorf("got %v", out.Err)
	}
	f.nothingLeft()
}

// A worker vanishes with a task, as if killed: the task runs on the other one
// after the manager has evicted the worker.
func TestATaskIsDoneAgainWhenItsWorkerDies(t *testing.T) {
	f := newFleet(t)
	begun := make(chan struct{})
	hang := work(func(ctx context.Context, _ *node.Task) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	})
	first := f.agent("video-1", 0, hang)
	outcome := make(chan job.Outcome)
	go func() { outcome <- job.Run(f.ctx, f.client, one("clip"), quick(job.Options{})) }()
	<-begun
	second := f.agent("video-2", 0, work(done))
	_ = first.conn.Close()
	out := <-outcome
	if out.Err != nil || out.Worker != second.ID() || out.Attempts != 2 {
		t.Errorf("got %+v", out)
	}
}

// Jobs run in order, never more at a time than the fleet takes, and all of them
// are run.
func TestEachTakesWhatTheFleetTakes(t *testing.T) {
	f := newFleet(t)
	var mu sync.Mutex
	running, most := 0, 0
	var order []string
	seen := map[string]chan struct{}{} // closed when the caller has seen it run
	busy := work(func(_ context.Context, t *node.Task) error {
		mu.Lock()
		running++
		most = max(most, running)
		order = append(order, t.Name)
		mu.Unlock()
		<-seen[t.Name]
		mu.Lock()
		running--
		mu.Unlock()
		return nil
	})
	f.agent("video-1", 2, busy)
	f.agent("video-2", 1, busy)
	var jobs []job.Job
	for i := range 20 {
		jobs = append(jobs, one(fmt.Sprintf("clip-%02d", i)))
		seen[jobs[i].Task] = make(chan struct{})
	}
	once := map[string]bool{}
	look := func(u job.Update) {
		if task := u.Job.Task; u.Report.State == muster.TaskRunning && !once[task] {
			once[task] = true
			close(seen[task])
		}
	}
	for i, out := range job.Each(f.ctx, f.client, jobs, quick(job.Options{OnUpdate: look})) {
		if out.Err != nil || out.Job.Task != jobs[i].Task {
			t.Errorf("%s: %+v", jobs[i].Task, out)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if most > 3 || len(order) != 20 {
		t.Errorf("%d at a time, want up to 3; %d done, want 20", most, len(order))
	}
	for i, task := range order { // three may overtake each other
		if at := slices.IndexFunc(jobs, func(j job.Job) bool { return j.Task == task }); at < i-3 || at > i+3 {
			t.Errorf("%s was number %d: %v", task, i, order)
		}
	}
	f.nothingLeft()
}

func TestNobodyTakesIt(t *testing.T) {
	f := newFleet(t)
	waited := false
	out := job.Run(f.ctx, f.client, one("clip"), job.Options{
		Patience: 300 * time.Millisecond, OnUpdate: func(u job.Update) { waited = waited || u.Phase == job.Waiting },
	})
	if !errors.Is(out.Err, job.ErrNoPlace) || !errors.Is(out.Err, client.ErrNoScheduler) || !waited || out.Attempts != 0 {
		t.Errorf("waited %v, got %+v", waited, out)
	}
}

// An interrupted job leaves no task behind.
func TestInterruptionStopsTheTask(t *testing.T) {
	f := newFleet(t)
	stopped := make(chan struct{})
	f.agent("video-1", 0, work(func(ctx context.Context, _ *node.Task) error {
		<-ctx.Done()
		close(stopped)
		return nil
	}))
	ctx, cancel := context.WithCancel(f.ctx)
	out := job.Run(ctx, f.client, one("clip"), quick(job.Options{OnUpdate: func(u job.Update) {
		if u.Report.State == muster.TaskRunning {
			cancel()
		}
	}}))
	if !errors.Is(out.Err, context.Canceled) {
		t.Errorf("got %+v", out)
	}
	<-stopped
	f.nothingLeft()
}

func TestBeginAndStop(t *testing.T) {
	f := newFleet(t)
	stopped := make(chan struct{})
	a := f.agent("video-1", 0, work(func(ctx context.Context, _ *node.Task) error {
		<-ctx.Done()
		close(stopped)
		return nil
	}))
	_, node, err := job.Begin(f.ctx, f.client, one("clip"), job.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, n, err := job.Stop(f.ctx, f.client, "video", "clip")
	if err != nil || w != a.ID() || n != node {
		t.Errorf("stopped %s on %s, want %s on %s: %v", n, w, node, a.ID(), err)
	}
	<-stopped
	f.nothingLeft()
	if _, _, err := job.Stop(f.ctx, f.client, "video", "clip"); !errors.Is(err, client.ErrNoTask) {
		t.Errorf("a task that is not there: %v", err)
	}
	j := one("clip")
	j.Spec = json.RawMessage(`"bad"`)
	if _, _, err := job.Begin(f.ctx, f.client, j, job.Options{}); !errors.Is(err, job.ErrRefused) {
		t.Errorf("a bad spec: %v", err)
	}
	f.nothingLeft()
}

// An agent that dies and comes back remembers how a task of the same name ended
// before: that is not the end of the one that died with it.
func TestAnEarlierEndIsNotThisOne(t *testing.T) {
	f := newFleet(t)
	waits := func(finish <-chan struct{}) work {
		return func(ctx context.Context, _ *node.Task) error {
			select {
			case <-finish:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	finish, finishAgain := make(chan struct{}, 1), make(chan struct{})
	a := f.agent("video-1", 1, waits(finish))
	finish <- struct{}{}
	if out := job.Run(f.ctx, f.client, one("clip"), quick(job.Options{})); out.Err != nil {
		t.Fatal(out.Err)
	}
	before, err := f.client.QueryTask(f.ctx, "video-1", "clip")
	if err != nil {
		t.Fatal(err)
	}
	began, again := make(chan struct{}), make(chan error, 1)
	once := sync.OnceFunc(func() { close(began) })
	ended := make(chan job.Outcome, 1)
	go func() {
		ended <- job.Run(f.ctx, f.client, one("clip"), quick(job.Options{OnUpdate: func(u job.Update) {
			switch {
			case u.Phase == job.Again:
				again <- u.Err
			case u.Report.State == muster.TaskRunning:
				once()
			}
		}}))
	}()
	<-began
	_ = a.conn.Close()
	f.agentThatRemembers("video-1", 1, waits(finishAgain), before)
	select {
	case err := <-again:
		if !errors.Is(err, job.ErrLost) {
			t.Errorf("the attempt is %v", err)
		}
	case out := <-ended:
		t.Fatalf("got %+v", out)
	}
	close(finishAgain)
	if out := <-ended; out.Err != nil || out.Attempts != 2 {
		t.Errorf("got %+v", out)
	}
}

package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/node"
)

// planned reports a plan with three parts as the end of the task "film".
func planned(t *node.Task) bool {
	if string(t.Spec) != `"x"` {
		return false
	}
	if !t.RunsParts() {
		t.Report(node.Progress{Share: 1, Detail: map[string]string{"made": "alone"}})
		return true
	}
	t.Report(node.Progress{Detail: map[string]any{"plan": muster.TaskPlan{
		Parts: []json.RawMessage{json.RawMessage(`"a"`), json.RawMessage(`"b"`), json.RawMessage(`"c"`)},
		Then:  json.RawMessage(`"join"`), Otherwise: json.RawMessage(`"clean"`),
	}}})
	return true
}

// journal is what was done, in order.
type journal struct {
	mu   sync.Mutex
	done []string
}

func (j *journal) add(spec json.RawMessage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done = append(j.done, string(spec))
}

// A task that ends with a plan is one job: its parts run on all workers, again
// where one dies, and what follows them is its result.
func TestATaskInParts(t *testing.T) {
	f := newFleet(t)
	var did journal
	dies := make(chan struct{})
	once := sync.OnceFunc(func() { close(dies) })
	lost := f.agent("video-1", 1, work(func(ctx context.Context, t *node.Task) error {
		if planned(t) {
			return nil
		}
		once()
		<-ctx.Done()
		return ctx.Err()
	}))
	shares := 0
	ended := make(chan job.Outcome, 1)
	go func() {
		ended <- job.Run(f.ctx, f.client, one("film"), quick(job.Options{OnUpdate: func(u job.Update) {
			if u.Job.Task != "film" {
				t.Errorf("an update of %s", u.Job.Task)
			}
			shares++
		}}))
	}()
	<-dies // a part runs on the worker that goes now
	f.agent("video-2", 0, work(func(_ context.Context, t *node.Task) error {
		did.add(t.Spec)
		t.Report(node.Progress{Share: 1, Detail: map[string]string{"made": "of parts"}})
		return nil
	}))
	_ = lost.conn.Close()
	out := <-ended
	if out.Err != nil || string(out.Report.Detail) != `{"made":"of parts"}` || out.Attempts != 2 {
		t.Errorf("got %+v", out)
	}
	if n := len(did.done); n != 4 || did.done[n-1] != `"join"` {
		t.Errorf("done are %q", did.done)
	}
	if shares < 4 {
		t.Errorf("%d updates", shares)
	}
	f.nothingLeft()
}

// A part that fails for good stops the others, and what is left is cleaned up. A
// caller that only begins a task is not asked to run parts.
func TestAPartThatFails(t *testing.T) {
	f := newFleet(t)
	var did journal
	f.agent("video-1", 0, work(func(ctx context.Context, t *node.Task) error {
		switch {
		case planned(t):
			return nil
		case string(t.Spec) == `"b"`:
			return hopeless{errors.New("no picture there")}
		case string(t.Spec) == `"clean"`:
			did.add(t.Spec)
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}))
	out := job.Run(f.ctx, f.client, one("film"), quick(job.Options{}))
	if !errors.Is(out.Err, job.ErrInput) || !strings.Contains(out.Err.Error(), ".part-2: ") || !strings.Contains(out.Err.Error(), "no picture there") {
		t.Errorf("the error is %v", out.Err)
	}
	if !slices.Equal(did.done, []string{`"clean"`}) {
		t.Errorf("done are %q", did.done)
	}
	f.nothingLeft()
	_, nodeID, err := job.Begin(f.ctx, f.client, one("film"), job.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		report, err := f.client.AwaitTask(f.ctx, nodeID, "film", time.Second)
		switch {
		case errors.Is(err, client.ErrNoTask):
			return // its node has ended
		case err != nil:
			t.Fatal(err)
		case report.State == muster.TaskRunning:
			continue
		case !strings.Contains(string(report.Detail), "alone"):
			t.Errorf("begun alone: %s", report.Detail)
		}
		return
	}
}

// Two runs that begin one task together: the first does the parts, each once, and
// both have the result. If the first is interrupted, the second does the rest.
func TestTwoRunsOfATaskInParts(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		t.Run(fmt.Sprint("interrupted=", interrupted), func(t *testing.T) {
			f := newFleet(t)
			var did journal
			plans, parts := make(chan struct{}), make(chan struct{})
			f.agent("video-1", 0, work(func(ctx context.Context, t *node.Task) error {
				switch string(t.Spec) {
				case `"x"`:
					<-plans
					planned(t)
					return nil
				case `"a"`, `"b"`, `"c"`:
					select {
					case <-parts:
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				did.add(t.Spec)
				t.Report(node.Progress{Share: 1, Detail: map[string]string{"made": "of parts"}})
				return nil
			}))
			run := func(ctx context.Context, on func(job.Update)) <-chan job.Outcome {
				ended := make(chan job.Outcome, 1)
				go func() {
					ended <- job.Run(ctx, f.client, one("film"), quick(job.Options{OnUpdate: on, Patience: time.Second}))
				}()
				return ended
			}
			runs := func(began chan<- struct{}) func(job.Update) {
				once := sync.OnceFunc(func() { close(began) })
				return func(u job.Update) {
					if u.Report.State == muster.TaskRunning {
						once()
					}
				}
			}
			ctx, interrupt := context.WithCancel(f.ctx)
			defer interrupt()
			began, joined := make(chan struct{}), make(chan struct{})
			first := run(ctx, runs(began))
			<-began
			second := run(f.ctx, runs(joined))
			<-joined
			close(plans)
			for running := 0; running < 3; {
				tasks, err := f.client.ListTasks(f.ctx, "video")
				if err != nil {
					t.Fatal(err)
				}
				running = 0
				for _, one := range tasks {
					if strings.Contains(one.Task, ".part-") && one.State == client.TaskRunning {
						running++
					}
				}
			}
			if interrupted {
				interrupt()
				if out := <-first; !errors.Is(out.Err, context.Canceled) {
					t.Errorf("the first: %+v", out)
				}
			}
			close(parts)
			if !interrupted {
				if out := <-first; out.Err != nil {
					t.Errorf("the first: %+v", out)
				}
			}
			if out := <-second; out.Err != nil || string(out.Report.Detail) != `{"made":"of parts"}` {
				t.Errorf("the second: %+v", out)
			}
			if slices.Sort(did.done); !slices.Equal(did.done, []string{`"a"`, `"b"`, `"c"`, `"join"`}) {
				t.Errorf("done are %q", did.done)
			}
			f.nothingLeft()
		})
	}
}

package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/node"
)

// A second run of a running task with another spec or room, or an invalid spec, is
// refused and changes neither the task nor its placement.
func TestASecondRunOfANameTouchesNothing(t *testing.T) {
	f := newFleet(t)
	finish := make(chan struct{})
	f.agent("video-1", 0, work(func(ctx context.Context, _ *node.Task) error {
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return errors.New("stopped by somebody")
		}
	}))
	first := make(chan job.Outcome, 1)
	running := make(chan struct{})
	go func() {
		began := false
		first <- job.Run(f.ctx, f.client, one("clip"), quick(job.Options{OnUpdate: func(u job.Update) {
			if u.Report.State == muster.TaskRunning && !began {
				began = true
				close(running)
			}
		}}))
	}()
	<-running
	otherSpec, otherRoom, misspelt := one("clip"), one("clip"), one("clip")
	otherSpec.Spec = json.RawMessage(`"y"`)
	otherRoom.Room = "elsewhere"
	misspelt.Spec = json.RawMessage(`"bad"`)
	jobs := []job.Job{otherSpec, otherRoom, misspelt}
	for _, j := range jobs {
		if _, _, err := job.Begin(f.ctx, f.client, j, job.Options{}); !errors.Is(err, job.ErrTaken) {
			t.Errorf("begin %s %s: %v", j.Room, j.Spec, err)
		}
	}
	for _, out := range job.Each(f.ctx, f.client, jobs, quick(job.Options{})) {
		if !errors.Is(out.Err, job.ErrTaken) || out.Attempts != 0 {
			t.Errorf("run %s %s: %+v", out.Job.Room, out.Job.Spec, out)
		}
	}
	// A second run of the same task joins it, and leaves it running if interrupted.
	same := one("clip")
	same.Spec = json.RawMessage(` "x" `)
	ctx, interrupt := context.WithCancel(f.ctx)
	joined := job.Run(ctx, f.client, same, quick(job.Options{OnUpdate: func(u job.Update) {
		if u.Report.State == muster.TaskRunning {
			interrupt()
		}
	}}))
	if !errors.Is(joined.Err, job.ErrJoined) || !errors.Is(joined.Err, context.Canceled) {
		t.Errorf("the joined run: %+v", joined)
	}
	if tasks, err := f.client.ListTasks(f.ctx, "video"); err != nil || len(tasks) != 1 || tasks[0].State != "running" {
		t.Errorf("placed are %+v, %v", tasks, err)
	}
	close(finish)
	if out := <-first; out.Err != nil || out.Attempts != 1 {
		t.Errorf("the first run: %+v", out)
	}
	f.nothingLeft()
}

package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/node"
)

// atWorker is an error whose cause is the worker.
type atWorker struct{ error }

func (atWorker) TaskCause() muster.Cause { return muster.CauseWorker }

// lacking is the work of a node on a machine without the files.
type lacking struct{ asked *atomic.Int32 }

func (w lacking) Check(json.RawMessage) error {
	w.asked.Add(1)
	return atWorker{errors.New("input: no such file")}
}

func (lacking) Do(context.Context, *node.Task) error { return errors.New("begun without its file") }

// A worker that lacks the files refuses at once and so is always free. The tasks
// go to the other one, and the first is soon not asked any more.
func TestAWorkerWithoutTheFilesDoesNotEatTheBatch(t *testing.T) {
	f := newFleet(t)
	var asked atomic.Int32
	f.agent("video-1", 0, lacking{&asked})
	f.agent("video-2", 1, work(done))
	jobs := make([]job.Job, 30)
	for i := range jobs {
		jobs[i] = one(fmt.Sprint("clip-", i))
		jobs[i].Preference = json.RawMessage(`{"video":{}}`)
	}
	refused := 0
	for _, out := range job.Each(f.ctx, f.client, jobs, quick(job.Options{})) {
		if out.Err != nil || out.Worker != "video-2" || out.Attempts != 1 {
			t.Errorf("got %+v", out)
		}
		for _, r := range out.Refusals {
			refused++
			if r.Worker != "video-1" || !strings.Contains(r.Reason, "no such file") {
				t.Errorf("refused by %+v", r)
			}
		}
	}
	if n := int(asked.Load()); n != refused || n >= len(jobs) {
		t.Errorf("the worker without the files was asked %d times, and %d refusals are reported", n, refused)
	}
	f.nothingLeft()
}

// If no worker has the file the task is refused with the reason, and each worker
// is asked only once.
func TestAFileThatNoWorkerHas(t *testing.T) {
	f := newFleet(t)
	var asked atomic.Int32
	f.agent("video-1", 0, lacking{&asked})
	f.agent("video-2", 0, lacking{&asked})
	out := job.Run(f.ctx, f.client, one("clip"), quick(job.Options{}))
	if !errors.Is(out.Err, job.ErrRefused) || !strings.Contains(out.Err.Error(), "no such file") || len(out.Refusals) != 2 || asked.Load() != 2 {
		t.Errorf("got %+v, asked %d times", out, asked.Load())
	}
	if _, _, err := job.Begin(f.ctx, f.client, one("clip"), job.Options{}); !errors.Is(err, job.ErrUnfit) {
		t.Errorf("begin: %v", err)
	}
	f.nothingLeft()
}

// A task that failed because of its worker is tried on another, however many
// workers fail: that is no other attempt at the task.
func TestAFailureAtTheWorkerGoesElsewhere(t *testing.T) {
	f := newFleet(t)
	full := work(func(context.Context, *node.Task) error { return atWorker{errors.New("no space left")} })
	f.agent("video-1", 1, full)
	f.agent("video-2", 1, full)
	f.agent("video-3", 1, work(done))
	out := job.Run(f.ctx, f.client, one("clip"), quick(job.Options{Attempts: 1}))
	if out.Err != nil || out.Worker != "video-3" || out.Attempts != 1 || len(out.Refusals) > 2 {
		t.Errorf("got %+v", out)
	}
	f.nothingLeft()
}

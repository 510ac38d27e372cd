package agent

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/worker"
)

// perTask makes of a launcher one that makes a node for each task.
type perTask struct{ process.Launcher }

func (perTask) PerTask() bool { return true }

// A lone manager without a data directory and with initial_time = 0 is started
// again, and knows nothing. The agent joins it with a running task: the program
// goes on, counted where it runs.
func TestProgramOutlivesALoneManager(t *testing.T) {
	f := newFleet(t, 60*time.Second)
	var starts, ends atomic.Int64
	a := f.start(Options{
		Worker: worker.Options{Purpose: "sample", KeepAlive: 50 * time.Millisecond, JoinInterval: 50 * time.Millisecond},
		Launcher: perTask{InProcess(func(ctx context.Context, _ process.Spec, ready func()) error {
			starts.Add(1)
			defer ends.Add(1)
			ready()
			<-ctx.Done()
			return nil
		})},
	})
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	p, err := f.client.Schedule(f.ctx, client.Request{Purpose: "sample", Task: "task1"})
	for errors.As(err, new(*client.NoWorkerError)) { // until its first report of load has arrived
		<-again.C
		p, err = f.client.Schedule(f.ctx, client.Request{Purpose: "sample", Task: "task1"})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.GetNode(f.ctx, p.Worker, p.Order("room1", nil)); err != nil {
		t.Fatal(err)
	}
	if err := f.manager.Close(); err != nil {
		t.Fatal(err)
	}
	f.startManager()
	for known := []string(nil); !slices.Equal(known, []string{"task1"}); known, _ = f.client.Tasks(f.ctx, a.ID()) {
		select {
		case <-again.C:
		case <-f.ctx.Done():
			t.Fatalf("the manager has %q; starts %d, ends %d, nodes %+v", known, starts.Load(), ends.Load(), a.Nodes())
		}
	}
	f.until(a, "one busy node", inState(muster.NodeBusy, 1))
	if starts.Load() != 1 || ends.Load() != 0 {
		t.Errorf("starts %d, ends %d", starts.Load(), ends.Load())
	}
}

package systemtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// Of two workers of the SDK with one id the second is refused while the first
// answers. Where the first does not, the second has its place, and the first ends
// its tasks.
func TestTwoWorkersWithOneID(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{fleet: 1})
		begun, dropped := make(chan struct{}), make(chan []string, 1)
		opts := worker.Options{
			Purpose: "video", Cluster: r.name, ID: twinID, IP: "127.0.0.1", MaxLoad: 1,
			Load: load.Func(func() float64 { return 0.1 }), KeepAlive: 200 * time.Millisecond,
			Handlers: map[string]worker.Handler{"stick": func(ctx context.Context, _ *worker.Worker, _ *bus.Request) {
				close(begun)
				<-ctx.Done()
			}},
			OnTasksDropped: func(_ *worker.Worker, tasks []string) { dropped <- tasks },
		}
		first, err := worker.Join(r.ctx, r.dial(), opts)
		r.must(err)
		first.AddTask("a")
		r.awaitOnPurpose("video", "a", twinID)

		if _, err := worker.Join(r.ctx, r.dial(), opts); !errors.Is(err, worker.ErrIDTaken) {
			t.Fatalf("a second worker joined under the id: %v", err)
		}
		r.must(r.conn.Cast(r.ctx, twinID, "stick"))
		select {
		case <-begun: // and never ends: it answers no call from now on
		case <-r.ctx.Done():
			t.Fatal("the first worker does not stick")
		}
		second, err := worker.Join(r.ctx, r.dial(), opts)
		r.must(err)
		select {
		case <-first.Done():
		case <-r.ctx.Done():
			t.Fatal("the first worker goes on beside the second")
		}
		if err := first.Err(); !errors.Is(err, worker.ErrReplaced) {
			t.Errorf("the first worker ended: %v", err)
		}
		select {
		case tasks := <-dropped:
			if !slices.Equal(tasks, []string{"a"}) {
				t.Errorf("the first worker was made to end %v", tasks)
			}
		default:
			t.Error("the first worker was not made to end its task")
		}
		r.must(second.Quit(r.ctx))
		r.verify()
	})
}

package owt

import (
	"context"
	"fmt"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// sink discards updates, and carries only the election.
type sink struct{ *hubConn }

func (s sink) Publish(ctx context.Context, topic, key string, body any) error {
	if key == keySlave {
		return nil
	}
	return s.hubConn.Publish(ctx, topic, key, body)
}

var _ bus.Conn = sink{}

// BenchmarkPropose measures a placement that is published to slaves, without a
// broker.
func BenchmarkPropose(b *testing.B) {
	r, err := Open(b.Context(), Options{Conn: sink{(&hub{}).dial()}, Cluster: "bench", Placement: state.DefaultConfig()})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for r.Role().Kind != replica.Leader {
		<-r.Ready()
		r.Apply()
	}
	now := muster.InstantOf(r.opts.Now())
	done := func(_ state.Result, _ []muster.Event, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	for i := range 100 {
		id := fmt.Sprintf("video-%d", i)
		r.Propose(replica.Proposal{Command: state.Command{At: now, Op: join(id)}, Done: done},
			replica.Proposal{Command: state.Command{At: now, Op: load(id, 0.1)}, Done: done})
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		select {
		case <-r.Ready():
			r.Apply()
		default:
		}
		n++
		r.Propose(replica.Proposal{Command: state.Command{At: now, Seed: uint64(n), Op: schedule(fmt.Sprint("t", n&0xfff))}, Done: done})
	}
}

// BenchmarkRuntimeData measures writing and adopting the state of 1,000 workers
// with 10 tasks each.
func BenchmarkRuntimeData(b *testing.B) {
	l := newLedger(quiet())
	for i := range 1000 {
		id := fmt.Sprintf("video-%d", i)
		l.carryOut(1, join(id))
		l.carryOut(1, load(id, 0.1))
		for j := range 10 {
			l.fold(1, l.reserved(1, "video", fmt.Sprintf("t%d-%d", i, j), id, 60_000))
		}
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			b.SetBytes(int64(len(l.runtimeJSON())))
		}
	})
	data := l.runtimeJSON()
	b.Run("adopt", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			d, err := parseRuntime(data)
			if err != nil {
				b.Fatal(err)
			}
			newLedger(quiet()).adopt(1, d)
		}
	})
}

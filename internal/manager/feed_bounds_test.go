package manager

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// However much happens, a batch holds so many events; the rest is counted, and the
// numbers have no gap. One that does not lead publishes nothing.
func TestFeedIsBounded(t *testing.T) {
	f := newFeed(nil, "c", slog.New(slog.DiscardHandler))
	happens := func(n int) {
		for i := range n {
			f.observe([]muster.Event{muster.TaskPickedUp{Task: fmt.Sprint(i)}, muster.WorkerLoadChanged{Worker: fmt.Sprint(i), Load: 1}}, noPurpose)
		}
	}
	happens(10)
	if b, leads := f.take(0); leads {
		t.Errorf("a follower publishes %+v", b)
	}
	f.follow(replica.Role{Kind: replica.Leader, Term: 7}, 1000)
	happens(10_000)
	b, _ := f.take(1)
	if len(b.Events) != feedEvents || b.Skipped != 10_001-feedEvents || len(b.Loads) != feedLoads || b.First != 1 || b.Term != 7 {
		t.Errorf("%d events, %d skipped, %d loads, from %d on", len(b.Events), b.Skipped, len(b.Loads), b.First)
	}
	happens(1)
	if b, _ := f.take(2); b.First != feedEvents+1 || len(b.Events) != 1 || b.Skipped != 0 {
		t.Errorf("then %+v", b)
	}
	for range 2 * feedEvents {
		f.decided(state.Schedule{Task: "t"}, state.Result{Err: muster.ReasonNoMatch})
		f.decided(state.Schedule{Task: "t"}, state.Result{})
	}
	if b, _ := f.take(3); len(b.Events) != feedEvents || b.Skipped != feedEvents || b.Refused != 2*feedEvents || b.Placed != 2*feedEvents {
		t.Errorf("of refusals: %d events, %d skipped, %d refused, %d placed", len(b.Events), b.Skipped, b.Refused, b.Placed)
	}
	f.follow(replica.Role{Kind: replica.Follower, Term: 8}, 1000)
	happens(1)
	if b, leads := f.take(3); leads {
		t.Errorf("a follower publishes %+v", b)
	}
}

// Events of tasks for which a batch has no room are not made, but counted all the
// same; with the next batch they are made again.
func TestFeedThatIsFullCostsNoEvents(t *testing.T) {
	c := newTestCore()
	c.feed = newFeed(nil, "c", slog.New(slog.DiscardHandler))
	c.feed.follow(replica.Role{Kind: replica.Leader, Term: 7}, 1000)
	ask(t, c, "join", `["video","v-1",`+testInfo+`]`)
	ask(t, c, "reportLoad", `["v-1",0.1]`)
	place := func(n int) {
		for i := range n {
			ask(t, c, "schedule", fmt.Sprintf(`["video","t-%d",null,60000]`, i))
			ask(t, c, "unschedule", fmt.Sprintf(`["v-1","t-%d"]`, i))
		}
	}
	place(1000)
	b, _ := c.feed.take(1)
	if len(b.Events) != feedEvents || b.Skipped+len(b.Events) != 2000+2 || b.Placed != 1000 { // the leader, and the worker that joined
		t.Errorf("%d events, %d skipped, %d placed", len(b.Events), b.Skipped, b.Placed)
	}
	if c.stateNow(); c.feed.full.Load() {
		t.Error("the next batch is full at once")
	}
	place(10)
	if b, _ := c.feed.take(2); len(b.Events) < 18 || b.Skipped > 2 || len(b.Events)+b.Skipped != 20 {
		t.Errorf("then %d events, %d skipped", len(b.Events), b.Skipped)
	}
}

// BenchmarkFeed is what a placement costs the owner of the state beside its decision.
func BenchmarkFeed(b *testing.B) {
	f := newFeed(nil, "c", slog.New(slog.DiscardHandler))
	f.follow(replica.Role{Kind: replica.Leader, Term: 7}, 1000)
	events := []muster.Event{muster.TaskReserved{Purpose: "video", Task: "t", Worker: "w"}}
	for i := 0; b.Loop(); i++ {
		f.observe(events, noPurpose)
		f.decided(state.Schedule{}, state.Result{})
		if i%8000 == 0 { // 80,000 placements a second
			f.take(0)
		}
	}
}

func noPurpose(string) (string, bool) { return "", false }

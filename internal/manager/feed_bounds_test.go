package manager

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
)

// However much happens, a batch holds so many events; the rest is counted, and the
// numbers have no gap. One that does not lead publishes nothing.
func TestFeedIsBounded(t *testing.T) {
	f := newFeed(nil, "c", slog.New(slog.DiscardHandler))
	happens := func(n int) {
		for i := range n {
			f.observe([]muster.Event{muster.TaskPickedUp{Task: fmt.Sprint(i)}, muster.WorkerLoadChanged{Worker: fmt.Sprint(i), Load: 1}})
		}
	}
	happens(10)
	if b, leads := f.take(0); leads {
		t.Errorf("a follower publishes %+v", b)
	}
	f.follow(replica.Role{Kind: replica.Leader, Term: 7})
	happens(10_000)
	b, _ := f.take(1)
	if len(b.Events) != feedEvents || b.Skipped != 10_001-feedEvents || len(b.Loads) != feedLoads || b.First != 1 || b.Term != 7 {
		t.Errorf("%d events, %d skipped, %d loads, from %d on", len(b.Events), b.Skipped, len(b.Loads), b.First)
	}
	happens(1)
	if b, _ := f.take(2); b.First != feedEvents+1 || len(b.Events) != 1 || b.Skipped != 0 {
		t.Errorf("then %+v", b)
	}
	f.follow(replica.Role{Kind: replica.Follower, Term: 8})
	happens(1)
	if b, leads := f.take(3); leads {
		t.Errorf("a follower publishes %+v", b)
	}
}

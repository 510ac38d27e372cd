package httpapi

import (
	"fmt"
	"testing"

	"github.com/muster-fleet/muster"
)

func batch(feed string, first uint64, n, skipped int) muster.FeedBatch {
	b := muster.FeedBatch{Feed: feed, First: first, Skipped: skipped}
	for i := range n {
		b.Events = append(b.Events, muster.FeedEvent{Type: muster.FeedTaskPlaced, Task: fmt.Sprint(first + uint64(i))})
	}
	return b
}

// drain takes all that is new, as ids; resets by their name.
func drain(h *hub, s *stream) (ids []string) {
	for again := true; again; {
		var entries []entry
		entries, again = h.take(s)
		for _, e := range entries {
			switch e.event {
			case eventReset:
				ids = append(ids, eventReset)
			case muster.FeedTaskPlaced:
				ids = append(ids, e.id)
			}
		}
	}
	return ids
}

// A gap in the numbers, another leader and skipped events are each a reset.
func TestMissingEventsAreAReset(t *testing.T) {
	for name, next := range map[string]muster.FeedBatch{
		"a gap": batch("1", 4, 1, 0), "another leader": batch("2", 1, 1, 0), "skipped": batch("1", 3, 1, 5),
	} {
		h := newHub()
		s := h.open("")
		h.add(batch("1", 1, 2, 0))
		h.add(next)
		want := fmt.Sprint([]string{"1-1", "1-2", eventReset, fmt.Sprintf("%s-%d", next.Feed, next.First)})
		if got := drain(h, s); fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// The history is bounded: a stream that is too far behind gets a reset, and goes on with
// what is left, each event once.
func TestHistoryIsBounded(t *testing.T) {
	h := newHub()
	slow := h.open("")
	const total = 5 * historyEvents
	for first := uint64(1); first <= total; first += 64 {
		h.add(batch("1", first, 64, 0))
	}
	got := drain(h, slow)
	if len(got) != historyEvents+1 || got[0] != eventReset || got[1] != fmt.Sprintf("1-%d", total-historyEvents+1) || got[len(got)-1] != fmt.Sprintf("1-%d", total) {
		t.Errorf("%d events: %v ... %v", len(got), got[:2], got[len(got)-1])
	}
	for id, want := range map[string]int{
		fmt.Sprintf("1-%d", total): 0, fmt.Sprintf("1-%d", total-10): 10,
		fmt.Sprintf("1-%d", total-historyEvents+1): historyEvents - 1, fmt.Sprintf("1-%d", total-historyEvents): 1, "x": 1,
	} {
		if got := drain(h, h.open(id)); len(got) != want {
			t.Errorf("after %s: %d events, want %d", id, len(got), want)
		}
	}
	if len(h.entries.items) > 2*historyEvents || len(h.loads.items) > 2*historyLoads {
		t.Errorf("%d events and %d loads are kept", len(h.entries.items), len(h.loads.items))
	}
}

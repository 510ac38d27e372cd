package httpapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/mailbox"
)

// The bounds of the hub.
const (
	historyEvents = 8192 // events that a stream can go back
	historyLoads  = 16   // batches of loads that a slow stream can be behind
)

// entry is an event in the history.
type entry struct {
	id    string
	event string // its name in the stream
	data  []byte
	about subject
}

// subject is the task and the worker that an event is about.
type subject struct{ purpose, task, worker string }

// The names of events in the stream beside those of muster.FeedEvent.
const (
	eventLoads = "loads" // of workers; they have no id, and are not kept
	eventRates = "rates" // what was decided since the batch before
	eventReset = "reset" // some events are missing: read the cluster again
)

// hub keeps the last events of the cluster, and wakes the streams.
type hub struct {
	mu      sync.Mutex
	entries ring[entry]
	loads   ring[entry]
	feed    string // of the last batch
	next    uint64 // the number that the next batch must begin with
	streams map[*stream]struct{}
	placed  map[string]int // placements by purpose since they were last taken
}

func newHub() *hub {
	return &hub{entries: ring[entry]{most: historyEvents}, loads: ring[entry]{most: historyLoads}, streams: map[*stream]struct{}{}, placed: map[string]int{}}
}

// ring keeps the last items that were added. Each has a number, which counts from 0.
type ring[T any] struct {
	most  int
	items []T
	first uint64 // the number of items[0]
}

func (r *ring[T]) add(item T) {
	if len(r.items) >= 2*r.most { // rarely, so that it costs little for each
		r.first += uint64(len(r.items) - r.most + 1)
		r.items = slices.Clone(r.items[len(r.items)-r.most+1:])
	}
	r.items = append(r.items, item)
}

func (r *ring[T]) end() uint64 { return r.first + uint64(len(r.items)) }

// oldest is the number of the oldest item that still counts.
func (r *ring[T]) oldest() uint64 {
	return r.first + uint64(max(len(r.items)-r.most, 0))
}

// from returns at most so many items from the number on.
func (r *ring[T]) from(number uint64, most int) []T {
	items := r.items[number-r.first:]
	return items[:min(len(items), most)]
}

// add takes a batch in.
func (h *hub) add(b muster.FeedBatch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.feed != "" && (b.Feed != h.feed || b.First != h.next) || b.Skipped > 0 {
		h.reset(b)
	}
	h.feed = b.Feed
	for i, e := range b.Events {
		it := encoded(fmt.Sprintf("%s-%d", b.Feed, b.First+uint64(i)), e.Type, Event{At: b.At, FeedEvent: e, Term: termOf(e, b.Term)})
		it.about = subject{e.Purpose, e.Task, e.Worker}
		if e.Type == muster.FeedTaskPlaced {
			h.placed[e.Purpose]++
		}
		h.entries.add(it)
	}
	h.next = b.First + uint64(len(b.Events))
	if len(b.Loads) > 0 {
		h.loads.add(encoded("", eventLoads, map[string]any{"at": b.At, "loads": b.Loads}))
	}
	h.loads.add(encoded("", eventRates, map[string]any{"at": b.At, "placed": b.Placed, "refused": b.Refused, "term": b.Term}))
	for s := range h.streams {
		s.notify()
	}
}

// termOf is the term where it says something: of the event that a manager leads.
func termOf(e muster.FeedEvent, term uint64) uint64 {
	if e.Type != muster.FeedLeader {
		return 0
	}
	return term
}

// reset says to streams that events are missing before this batch.
func (h *hub) reset(b muster.FeedBatch) {
	h.entries.add(encoded(fmt.Sprintf("%s-%d.reset", b.Feed, b.First), eventReset, map[string]any{"at": b.At, "skipped": b.Skipped}))
}

func encoded(id, event string, data any) entry {
	body, err := json.Marshal(data)
	if err != nil {
		body = []byte("{}")
	}
	return entry{id: id, event: event, data: body}
}

// stream is one who listens. Its reader takes what is new; the hub never waits for it.
type stream struct {
	wake        mailbox.Signal // has a token when there may be something new
	next, loads uint64
	lost        bool // events between the last seen and next are gone
}

func (s *stream) notify() {
	s.wake.Raise()
}

// open begins a stream after the event with this id, or with "" at the next event.
func (h *hub) open(after string) *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &stream{wake: mailbox.NewSignal(), next: h.entries.end(), loads: h.loads.end()}
	if after != "" {
		kept := h.entries.from(h.entries.oldest(), historyEvents)
		i := slices.IndexFunc(kept, func(e entry) bool { return e.id == after })
		if s.lost = i < 0; !s.lost {
			s.next = h.entries.oldest() + uint64(i) + 1
		}
	}
	h.streams[s] = struct{}{}
	s.notify()
	return s
}

func (h *hub) close(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, s)
}

// take returns what is new to a stream; again reports whether there is more.
func (h *hub) take(s *stream) (out []entry, again bool) {
	const most = 512
	h.mu.Lock()
	defer h.mu.Unlock()
	if oldest := h.entries.oldest(); s.next < oldest {
		s.next, s.lost = oldest, true
	}
	if s.lost {
		s.lost = false
		out = append(out, entry{event: eventReset, data: []byte(`{"missed":true}`)})
	}
	events := h.entries.from(s.next, most)
	s.next += uint64(len(events))
	s.loads = max(s.loads, h.loads.oldest())
	loads := h.loads.from(s.loads, historyLoads)
	s.loads += uint64(len(loads))
	return append(append(out, events...), loads...), len(events) == most
}

// recent returns at most so many of the last events, the oldest first.
func (h *hub) recent(most int) []entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.entries.from(h.entries.oldest(), historyEvents)
	return slices.Clone(kept[max(len(kept)-most, 0):])
}

// takePlaced returns how many placements of each purpose there were since it was last
// called. Events that the leader skipped are not among them.
func (h *hub) takePlaced() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	placed := h.placed
	h.placed = map[string]int{}
	return placed
}

// story returns the events about a task, the oldest first.
func (h *hub) story(purpose, task string) []json.RawMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []json.RawMessage{}
	for _, e := range h.entries.from(h.entries.oldest(), historyEvents) {
		if e.about.task == task && e.about.purpose == purpose {
			out = append(out, e.data)
		}
	}
	return out
}

func (h *hub) listeners() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

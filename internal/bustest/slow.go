package bustest

import (
	"encoding/json"
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var slowCases = []testCase{
	{"BacklogIsKept", backlogKept},
	{"SlowListener", slowListener},
}

// slow is a listener that blocks in its first message until it is released.
type slow struct {
	sub     bus.Subscription
	release chan struct{}
	entered chan struct{}
	heard   atomic.Int64
	last    chan struct{}
	full    chan struct{}
}

func listenSlowly(t testing.TB, c bus.Conn, topic string) *slow {
	s := &slow{
		release: make(chan struct{}), entered: make(chan struct{}), last: make(chan struct{}), full: make(chan struct{}),
	}
	s.sub = subscribe(t, c, topic, "#", func(_ string, body json.RawMessage) {
		switch s.heard.Add(1) {
		case 1:
			close(s.entered)
			<-s.release
		case bus.ListenerBacklog:
			close(s.full)
		}
		if string(body) == `"end"` {
			close(s.last)
		}
	})
	mustPublish(t, c, topic, "first", nil)
	take(t, s.entered, "the first notice")
	return s
}

// backlogKept: a busy listener loses nothing of a burst as large as its backlog.
func backlogKept(t *testing.T, b Broker) {
	topic := named(t, "t")
	conn, publisher := dial(t, b), dial(t, b)
	s := listenSlowly(t, conn, topic)
	last, after := listen(t, conn, topic, "last"), listen(t, conn, topic+"after", "#")
	for i := range bus.ListenerBacklog - 1 {
		mustPublish(t, publisher, topic, "k", i)
	}
	mustPublish(t, publisher, topic, "last", "end")
	take(t, last.done, "the last notice, at a listener that is not busy")
	mustPublish(t, publisher, topic+"after", "k", "end")
	take(t, after.done, "a notice after the last")
	close(s.release)
	take(t, s.last, "the last notice")
	if n := s.heard.Load(); n != bus.ListenerBacklog+1 || s.sub.Dropped() != 0 {
		t.Errorf("heard %d of %d, dropped %d", n, bus.ListenerBacklog+1, s.sub.Dropped())
	}
}

// slowListener floods a busy listener. A fast listener and a server of the same
// Conn must not be affected.
func slowListener(t *testing.T, b Broker) {
	const chunk, chunks = 512, 4 * bus.ListenerBacklog / 512
	topic, server := named(t, "t"), named(t, "s")
	conn, publisher := dial(t, b), dial(t, b)
	serve(t, conn, server, echo)
	s := listenSlowly(t, conn, topic)
	fast := make(chan struct{}, chunk)
	fastSub := subscribe(t, conn, topic, "k", func(string, json.RawMessage) { fast <- struct{}{} })
	for i := range chunks {
		for range chunk {
			mustPublish(t, publisher, topic, "k", i)
		}
		for range chunk {
			take(t, fast, "the fast listener")
		}
		wantJSON(t, mustCall(t, publisher, server, "echo", i), i)
		wantJSON(t, mustCall(t, conn, server, "echo", i), i)
	}
	if n := fastSub.Dropped(); n != 0 {
		t.Errorf("the fast listener lost %d", n)
	}
	awaitDropped(t, s, 1+chunk*chunks-bus.ListenerBacklog-3, func() { mustCall(t, publisher, server, "echo") })
	close(s.release)
	take(t, s.full, "what waited for the slow listener")
	mustPublish(t, publisher, topic, "last", "end")
	take(t, s.last, "the last notice")
	checkBounded(t, s, 2+chunk*chunks)
}

// awaitDropped waits until everything published has arrived at the busy listener,
// which may be later than at the fast one. It checks again after each step.
func awaitDropped(t testing.TB, s *slow, least uint64, step func()) {
	ctx := within(t)
	for s.sub.Dropped() < least {
		if step(); ctx.Err() != nil {
			t.Fatalf("dropped %d, want %d at least", s.sub.Dropped(), least)
		}
	}
}

// checkBounded checks that every message was either heard or dropped, and that not
// much more than the backlog was kept.
func checkBounded(t testing.TB, s *slow, sent int64) {
	heard, dropped := s.heard.Load(), int64(s.sub.Dropped())
	if heard+dropped != sent {
		t.Errorf("heard %d and dropped %d of %d", heard, dropped, sent)
	}
	if heard > bus.ListenerBacklog+3 {
		t.Errorf("%d were kept for a busy listener, more than %d", heard, bus.ListenerBacklog)
	}
}

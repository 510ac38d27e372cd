package bustest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var serverCases = []testCase{
	{"TwoServersOfOneName", twoServers},
	{"ServiceClose", serviceClose},
	{"ServeAgain", serveAgain},
}

func twoServers(t *testing.T, b Broker) {
	const n = 400
	server := named(t, "s")
	var handled [2]atomic.Int64
	var seen sync.Map
	serveAs := func(i int) bus.Service {
		return serve(t, dial(t, b), server, func(r *bus.Request) {
			handled[i].Add(1)
			if _, twice := seen.LoadOrStore(string(r.Args[0]), true); twice {
				t.Errorf("request %s arrived twice", r.Args[0])
			}
			r.Reply(r.Args[0])
		})
	}
	first := serveAs(0)
	serveAs(1)
	c := dial(t, b)
	callAll(t, c, server, 0, n)
	if a, z := handled[0].Load(), handled[1].Load(); a+z != n || a == 0 || z == 0 {
		t.Errorf("of %d requests %d and %d were handled", n, a, z)
	}
	before := handled[0].Load()
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	callAll(t, c, server, n, n)
	if handled[0].Load() != before {
		t.Error("a closed service got requests")
	}
}

// callAll makes n calls, some at a time, and compares each answer with its
// argument.
func callAll(t testing.TB, c bus.Conn, server string, from, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := from + g; i < from+n; i += 8 {
				raw, err := c.Call(within(t), server, "echo", i)
				if err != nil {
					t.Errorf("call %d: %v", i, err)
					return
				}
				if want, _ := bus.EncodeArgs(i); string(raw) != string(want[0]) {
					t.Errorf("call %d was answered %s", i, raw)
				}
			}
		})
	}
	wg.Wait()
}

// serviceClose: requests that the handler has may be answered after Close; new
// calls find no server.
func serviceClose(t *testing.T, b Broker) {
	server := named(t, "s")
	held := make(chan *bus.Request, 1)
	s := serve(t, dial(t, b), server, func(r *bus.Request) { held <- r })
	c := dial(t, b)
	call := start(within(t), c, server, "x")
	r := take(t, held, "the request")
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	r.Reply("after the end")
	o := take(t, call, "the answer")
	if o.err != nil {
		t.Fatalf("the call in progress: %v", o.err)
	}
	wantJSON(t, string(o.data), "after the end")
	_, err := c.Call(briefly(t), server, "x")
	wantOneOf(t, err, bus.ErrNoServer, context.DeadlineExceeded)
}

func serveAgain(t *testing.T, b Broker) {
	server, owner := named(t, "s"), dial(t, b)
	c := dial(t, b)
	for i := range 5 {
		s := serve(t, owner, server, func(r *bus.Request) { r.Reply(i) })
		wantJSON(t, mustCall(t, c, server, "x"), i)
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

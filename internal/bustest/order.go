package bustest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var orderCases = []testCase{
	{"OrderOfCastsAndCalls", orderOfRequests},
	{"OrderOfCallsInFlight", orderInFlight},
	{"OneAtATime", oneAtATime},
}

func orderOfRequests(t *testing.T, b Broker) {
	const n = 3000
	server := named(t, "s")
	var got []string
	serve(t, dial(t, b), server, func(r *bus.Request) {
		got = append(got, string(r.Args[0]))
		r.Reply(len(got))
	})
	c := dial(t, b)
	for i := range n {
		if i%100 == 99 {
			wantJSON(t, mustCall(t, c, server, "call", i), i+1)
		} else {
			mustCast(t, c, server, "cast", i)
		}
	}
	for i, arg := range got {
		if arg != fmt.Sprint(i) {
			t.Fatalf("request %d arrived as number %d", i, len(got))
		}
	}
}

// orderInFlight sends a cast and a second call before the first call is answered.
func orderInFlight(t *testing.T, b Broker) {
	server := named(t, "s")
	arrived := make(chan *bus.Request, 9)
	serve(t, dial(t, b), server, func(r *bus.Request) { arrived <- r })
	c := dial(t, b)
	for range 50 {
		first := start(within(t), c, server, "first")
		held := take(t, arrived, "the first call")
		mustCast(t, c, server, "cast")
		second := start(within(t), c, server, "second")
		if r := take(t, arrived, "the cast"); r.Method != "cast" {
			t.Fatalf("%s arrived before the cast", r.Method)
		}
		take(t, arrived, "the second call").Reply(nil)
		take(t, second, "the second answer")
		held.Reply(nil)
		take(t, first, "the first answer")
	}
}

func oneAtATime(t *testing.T, b Broker) {
	server := named(t, "s")
	var inside, most atomic.Int32
	serve(t, dial(t, b), server, func(r *bus.Request) {
		if n := inside.Add(1); n > most.Load() {
			most.Store(n)
		}
		r.Reply(nil)
		inside.Add(-1)
	})
	var wg sync.WaitGroup
	for range 3 {
		c := dial(t, b)
		for range 8 {
			wg.Go(func() {
				for range 50 {
					if _, err := c.Call(within(t), server, "x"); err != nil {
						t.Errorf("Call: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d requests were in the handler at once", most.Load())
	}
}

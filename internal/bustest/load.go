package bustest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var loadCases = []testCase{
	{"Hammer", hammer},
	{"ManyInFlight", manyInFlight},
}

// hammer mixes all operations on a few connections. Each call must get its own
// answer.
func hammer(t *testing.T, b Broker) {
	conns := []bus.Conn{dial(t, b), dial(t, b), dial(t, b)}
	for i, c := range conns {
		serve(t, c, named(t, fmt.Sprint(i)), echo)
		subscribe(t, c, named(t, "t"), "#", func(string, json.RawMessage) {})
	}
	var wg sync.WaitGroup
	for g := range 48 {
		wg.Go(func() { hammerOne(t, conns[g%3], g) })
	}
	wg.Wait()
}

func hammerOne(t testing.TB, c bus.Conn, g int) {
	server := named(t, fmt.Sprint(g/3%3))
	for i := range 100 {
		want := fmt.Sprintf("%d of %d", i, g)
		raw, err := c.Call(within(t), server, "echo", want)
		if err != nil || string(raw) != `"`+want+`"` {
			t.Errorf("call %s was answered %s, %v", want, raw, err)
			return
		}
		if i%10 == 0 {
			abandonCall(c, server)
		}
		if err := c.Cast(within(t), server, "echo", i); err != nil {
			t.Errorf("Cast: %v", err)
		}
		if err := c.Publish(within(t), named(t, "t"), "k", i); err != nil {
			t.Errorf("Publish: %v", err)
		}
	}
}

// abandonCall makes a call without waiting for its answer.
func abandonCall(c bus.Conn, server string) {
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	_, _ = c.Call(ctx, server, "echo", "abandoned")
}

func manyInFlight(t *testing.T, b Broker) {
	const n = 2000
	server := named(t, "s")
	held := make(chan *bus.Request, n)
	serve(t, dial(t, b), server, func(r *bus.Request) { held <- r })
	c := dial(t, b)
	var calls []<-chan outcome
	for i := range n {
		calls = append(calls, start(within(t), c, server, "x", i))
	}
	var all []*bus.Request
	for range n {
		all = append(all, take(t, held, "a request"))
	}
	for _, r := range all {
		r.Reply(r.Args[0])
	}
	for i, call := range calls {
		o := take(t, call, "an answer")
		if o.err != nil {
			t.Fatalf("call %d: %v", i, o.err)
		}
		wantJSON(t, string(o.data), i)
	}
}

package bustest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var closeCases = []testCase{
	{"ClosedConnRefuses", closedRefuses},
	{"CloseEndsCallsInFlight", closeEndsCalls},
	{"CloseLetsWhatWasSentLeave", closeFlushes},
	{"CloseUnderLoad", closeUnderLoad},
	{"CloseWaitsForHandlers", closeWaits},
}

func closedRefuses(t *testing.T, b Broker) {
	c := dial(t, b)
	service := serve(t, c, named(t, "s"), echo)
	sub := subscribe(t, c, named(t, "t"), "#", func(string, json.RawMessage) {})
	if err := c.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	ctx := within(t)
	_, callErr := c.Call(ctx, named(t, "s"), "x")
	_, serveErr := c.Serve(ctx, named(t, "s"), echo)
	_, subErr := c.Subscribe(ctx, named(t, "t"), "#", func(string, json.RawMessage) {})
	errs := map[string]error{
		"Call": callErr, "Serve": serveErr, "Subscribe": subErr,
		"Cast": c.Cast(ctx, named(t, "s"), "x"), "Publish": c.Publish(ctx, named(t, "t"), "k", 1),
	}
	for what, err := range errs {
		if !errors.Is(err, bus.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", what, err)
		}
	}
	closeOnce(t, c)
	_ = service.Close()
	_ = sub.Close()
}

func closeEndsCalls(t *testing.T, b Broker) {
	server := named(t, "s")
	held := make(chan *bus.Request, 20)
	serve(t, dial(t, b), server, func(r *bus.Request) { held <- r })
	c := dial(t, b)
	var calls []<-chan outcome
	for range 20 {
		calls = append(calls, start(within(t), c, server, "x"))
		take(t, held, "the request")
	}
	closeOnce(t, c)
	for _, call := range calls {
		wantOneOf(t, take(t, call, "the end of a call").err, bus.ErrClosed)
	}
}

func closeFlushes(t *testing.T, b Broker) {
	const n = 1000
	server := named(t, "s")
	arrived := make(chan string, n)
	serve(t, dial(t, b), server, func(r *bus.Request) { arrived <- string(r.Args[0]) })
	c := dial(t, b)
	for i := range n {
		mustCast(t, c, server, "x", i)
	}
	closeOnce(t, c)
	for i := range n {
		wantJSON(t, take(t, arrived, "a cast"), i)
	}
}

// closeUnderLoad closes the caller's side first and then the server's, during
// calls.
func closeUnderLoad(t *testing.T, b Broker) {
	server := named(t, "s")
	for round := range 4 {
		owner, c := dial(t, b), dial(t, b)
		serve(t, owner, server, echo)
		var wg sync.WaitGroup
		warm := make(chan struct{}, 32)
		for range 32 {
			wg.Go(func() { callUntilError(t, c, server, warm) })
		}
		for range 32 {
			take(t, warm, "the first answers")
		}
		if round%2 == 0 {
			closeOnce(t, c)
		} else {
			closeOnce(t, owner)
		}
		wg.Wait()
		closeOnce(t, c)
		closeOnce(t, owner)
	}
}

// callUntilError calls until something is closed. It signals the first answer.
func callUntilError(t testing.TB, c bus.Conn, server string, warm chan<- struct{}) {
	for i := 0; ; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 10*brief)
		raw, err := c.Call(ctx, server, "echo", i)
		cancel()
		if err != nil {
			if i == 0 {
				warm <- struct{}{}
			}
			if !ended(err) {
				t.Errorf("call ended with %v", err)
			}
			return
		}
		if want, _ := bus.EncodeArgs(i); string(raw) != string(want[0]) {
			t.Errorf("call %d was answered %s", i, raw)
		}
		if i == 0 {
			warm <- struct{}{}
		}
	}
}

// ended reports whether a call may end with this error when a side or the broker
// goes away.
func ended(err error) bool {
	for _, e := range []error{bus.ErrClosed, bus.ErrDisconnected, bus.ErrNoServer, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// closeWaits: once Close has returned no handler and no listener runs.
func closeWaits(t *testing.T, b Broker) {
	server, topic := named(t, "s"), named(t, "t")
	owner, c := dial(t, b), dial(t, b)
	entered, release := make(chan struct{}, 2), make(chan struct{})
	var handling, listening bool
	serve(t, owner, server, func(*bus.Request) {
		handling = true
		entered <- struct{}{}
		<-release
		handling = false
	})
	subscribe(t, owner, topic, "#", func(string, json.RawMessage) {
		listening = true
		entered <- struct{}{}
		<-release
		listening = false
	})
	mustCast(t, c, server, "x")
	mustPublish(t, c, topic, "k", 1)
	take(t, entered, "the handler or the listener")
	take(t, entered, "the other")
	closed := make(chan error, 1)
	go func() { closed <- owner.Close() }()
	close(release)
	if err := take(t, closed, "Close"); err != nil {
		t.Errorf("Close: %v", err)
	}
	if handling || listening {
		t.Error("Close returned too early")
	}
}

package bustest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
)

var deadlineCases = []testCase{
	{"Deadline", deadline},
	{"DeadlineIsRequired", deadlineRequired},
	{"DeadlineAlreadyOver", deadlineOver},
	{"CallUntil", callUntil},
	{"Cancelled", cancelled},
	{"NoSuchServer", noSuchServer},
	{"ServerGoneInFlight", serverGone},
	{"LateAndDoubleAnswers", lateAnswers},
	{"CallerGone", callerGone},
}

func briefly(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), brief)
	t.Cleanup(cancel)
	return ctx
}

func deadline(t *testing.T, b Broker) {
	server := named(t, "s")
	serve(t, dial(t, b), server, func(*bus.Request) {})
	_, err := dial(t, b).Call(briefly(t), server, "x")
	wantOneOf(t, err, context.DeadlineExceeded)
}

func deadlineRequired(t *testing.T, b Broker) {
	server := named(t, "s")
	arrived := make(chan *bus.Request, 9)
	serve(t, dial(t, b), server, func(r *bus.Request) { arrived <- r; r.Reply(r.Method) })
	c := dial(t, b)
	if _, err := c.Call(context.Background(), server, "endless"); err == nil {
		t.Fatal("a call without a deadline was made")
	}
	wantJSON(t, mustCall(t, c, server, "next"), "next")
	if r := take(t, arrived, "the request"); r.Method != "next" {
		t.Fatalf("the refused call %q was sent", r.Method)
	}
}

func deadlineOver(t *testing.T, b Broker) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	_, err := dial(t, b).Call(ctx, named(t, "s"), "x")
	wantOneOf(t, err, context.DeadlineExceeded)
}

// callUntil: a call without a deadline ends at its time, another one with its
// context, and neither disturbs the next.
func callUntil(t *testing.T, b Broker) {
	server := named(t, "s")
	ctx, cancel := context.WithCancel(context.Background())
	serve(t, dial(t, b), server, func(r *bus.Request) {
		switch r.Method {
		case "cancel":
			cancel()
		case "echo":
			r.Reply(r.Args[0])
		}
	})
	c := dial(t, b)
	for i := range 3 {
		_, err := bus.CallUntil(context.Background(), c, time.Now().Add(brief), server, "ignore")
		wantOneOf(t, err, context.DeadlineExceeded)
		data, err := bus.CallUntil(context.Background(), c, time.Now().Add(patience), server, "echo", i)
		if err != nil {
			t.Fatal(err)
		}
		wantJSON(t, string(data), i)
	}
	_, err := bus.CallUntil(ctx, c, time.Now().Add(patience), server, "cancel")
	wantOneOf(t, err, context.Canceled)
}

func cancelled(t *testing.T, b Broker) {
	server := named(t, "s")
	ctx, cancel := context.WithCancel(within(t))
	serve(t, dial(t, b), server, func(*bus.Request) { cancel() })
	_, err := dial(t, b).Call(ctx, server, "x")
	wantOneOf(t, err, context.Canceled)
}

func noSuchServer(t *testing.T, b Broker) {
	c := dial(t, b)
	_, err := c.Call(briefly(t), named(t, "absent"), "x")
	wantOneOf(t, err, bus.ErrNoServer, context.DeadlineExceeded)
	server := named(t, "s")
	wantJSON(t, mustCall(t, echoConn(t, b, server), server, "echo", 1), 1)
	wantJSON(t, mustCall(t, c, server, "echo", 2), 2)
}

func serverGone(t *testing.T, b Broker) {
	server, owner := named(t, "s"), dial(t, b)
	arrived := make(chan *bus.Request, 1)
	serve(t, owner, server, func(r *bus.Request) { arrived <- r })
	c := dial(t, b)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	call := start(ctx, c, server, "x")
	late := take(t, arrived, "the request")
	closeOnce(t, owner)
	late.Reply("too late")
	o := take(t, call, "the end of the call")
	wantOneOf(t, o.err, context.DeadlineExceeded, bus.ErrNoServer, bus.ErrDisconnected)
	_, err := c.Call(briefly(t), server, "x")
	wantOneOf(t, err, context.DeadlineExceeded, bus.ErrNoServer)
}

func lateAnswers(t *testing.T, b Broker) {
	server := named(t, "s")
	held := make(chan *bus.Request, 1)
	serve(t, dial(t, b), server, func(r *bus.Request) {
		if r.Method == "hold" {
			held <- r
			return
		}
		r.Reply(r.Args[0])
		r.Reply("a second answer")
		r.Fail("a third")
	})
	c := dial(t, b)
	for i := range 20 {
		ctx, cancel := context.WithCancel(within(t))
		call := start(ctx, c, server, "hold")
		r := take(t, held, "the request")
		cancel()
		if o := take(t, call, "the end of the call"); !errors.Is(o.err, context.Canceled) {
			t.Fatalf("got %s, %v", o.data, o.err)
		}
		r.Status("late")
		r.Reply("late")
		wantJSON(t, mustCall(t, c, server, "echo", i), i)
	}
}

func callerGone(t *testing.T, b Broker) {
	server := named(t, "s")
	held := make(chan *bus.Request, 1)
	serve(t, dial(t, b), server, func(r *bus.Request) {
		if r.Method == "hold" {
			held <- r
			return
		}
		r.Reply(1)
	})
	gone, other := dial(t, b), dial(t, b)
	call := start(within(t), gone, server, "hold")
	r := take(t, held, "the request")
	closeOnce(t, gone)
	if o := take(t, call, "the end of the call"); !errors.Is(o.err, bus.ErrClosed) {
		t.Fatalf("got %s, %v; want ErrClosed", o.data, o.err)
	}
	r.Status("ignored")
	r.Reply("ignored")
	for range 3 {
		wantJSON(t, mustCall(t, other, server, "x"), 1)
	}
}

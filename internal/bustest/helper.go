package bustest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

const (
	// patience is how long the suite waits for anything before it fails.
	patience = 60 * time.Second
	// brief is the timeout of calls that are meant to time out.
	brief = 200 * time.Millisecond
)

func dial(t testing.TB, b Broker) bus.Conn {
	t.Helper()
	c := b.Dial(t)
	t.Cleanup(func() { closeOnce(t, c) })
	return c
}

// closeOnce closes a Conn unless a case has closed it already.
func closeOnce(t testing.TB, c bus.Conn) {
	t.Helper()
	if err := c.Close(); err != nil && !errors.Is(err, bus.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
}

// named returns a name that is unique to the case.
func named(t testing.TB, name string) string {
	_, last, _ := strings.Cut(t.Name(), "/")
	return last + "-" + name
}

func serve(t testing.TB, c bus.Conn, server string, h bus.Handler) bus.Service {
	t.Helper()
	s, err := c.Serve(within(t), server, h)
	if err != nil {
		t.Fatalf("Serve(%q): %v", server, err)
	}
	return s
}

// echo answers with its first argument; without one, with null.
func echo(r *bus.Request) {
	switch {
	case r.Method != "echo":
		r.Refuse(muster.ReasonUnsupported)
	case len(r.Args) == 0:
		r.Reply(nil)
	default:
		r.Reply(r.Args[0])
	}
}

func mustCall(t testing.TB, c bus.Conn, server, method string, args ...any) string {
	t.Helper()
	raw, err := c.Call(within(t), server, method, args...)
	if err != nil {
		t.Fatalf("Call(%q, %q): %v", server, method, err)
	}
	return string(raw)
}

func mustCast(t testing.TB, c bus.Conn, server, method string, args ...any) {
	t.Helper()
	if err := c.Cast(within(t), server, method, args...); err != nil {
		t.Fatalf("Cast(%q, %q): %v", server, method, err)
	}
}

func mustPublish(t testing.TB, c bus.Conn, topic, key string, body any) {
	t.Helper()
	if err := c.Publish(within(t), topic, key, body); err != nil {
		t.Fatalf("Publish(%q, %q): %v", topic, key, err)
	}
}

func subscribe(t testing.TB, c bus.Conn, topic, pattern string, l bus.Listener) bus.Subscription {
	t.Helper()
	s, err := c.Subscribe(within(t), topic, pattern, l)
	if err != nil {
		t.Fatalf("Subscribe(%q, %q): %v", topic, pattern, err)
	}
	return s
}

// take waits for the next value of a channel.
func take[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("timed out waiting for %s", what)
		panic("unreachable")
	}
}

func wantJSON(t testing.TB, got string, want any) {
	t.Helper()
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(w) {
		t.Fatalf("got %s, want %s", clip(got), clip(string(w)))
	}
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "..."
	}
	return s
}

// outcome is the outcome of a call.
type outcome struct {
	data json.RawMessage
	err  error
}

// start makes a call on a goroutine of its own. The channel is buffered for its
// outcome.
func start(ctx context.Context, c bus.Conn, server, method string, args ...any) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		data, err := c.Call(ctx, server, method, args...)
		done <- outcome{data, err}
	}()
	return done
}

// wantOneOf fails unless err wraps one of the errors.
func wantOneOf(t testing.TB, err error, allowed ...error) {
	t.Helper()
	for _, a := range allowed {
		if errors.Is(err, a) {
			return
		}
	}
	t.Fatalf("got error %v, want one of %v", err, allowed)
}

package amqpbus_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

// shared is the broker of all tests that run one after the other. They may kill
// or freeze it, and change its settings, and leave it running as it was.
var shared rabbittest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Stop()
	os.Exit(code)
}

// patience is how long anything may take before a test calls it hung.
const patience = 60 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func dial(t testing.TB, b *rabbittest.Broker) *amqpbus.Conn {
	t.Helper()
	return dialWith(t, bus.Options{URL: b.URL()})
}

func dialWith(t testing.TB, o bus.Options) *amqpbus.Conn {
	t.Helper()
	c, err := amqpbus.Dial(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// take waits for the next of a channel.
func take[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

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

func serve(t testing.TB, c bus.Conn, server string, h bus.Handler) bus.Service {
	t.Helper()
	s, err := c.Serve(within(t), server, h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantEcho(t testing.TB, c bus.Conn, server, text string) {
	t.Helper()
	raw, err := c.Call(within(t), server, "echo", text)
	if err != nil || string(raw) != `"`+text+`"` {
		t.Fatalf("answer %s: %v", raw, err)
	}
}

package worker_test

import (
	"slices"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/client"
	managers "github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

// RabbitMQ is killed and comes back while tasks come and go, with a real
// manager at the other end: its list of the worker's tasks is the worker's
// own, and the worker never joined again.
func TestRabbitRestart(t *testing.T) {
	rabbit := rabbittest.Start(t)
	dial := func() bus.Conn {
		conn, err := amqpbus.Dial(within(t), bus.Options{URL: rabbit.URL()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	options := managers.DefaultOptions()
	options.InitialTime = 0
	m, err := managers.Start(within(t), dial(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	e := newEvents(t)
	o := quick(e)
	o.KeepAlive = 50 * time.Millisecond
	w := join(t, dial(), o)
	e.next("joined")
	w.AddTask("a", "b", "c", "d")
	rabbit.Kill()
	w.RemoveTask("a")
	w.AddTask("e")
	e.next("lost")
	w.RemoveTask("b")
	if err := rabbit.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.AddTask("f")
	e.next("recovered")
	want := w.Tasks()
	c := client.New(dial(), client.Options{})
	for ctx := within(t); ; {
		got, err := c.Tasks(ctx, w.ID())
		slices.Sort(got)
		if err != nil {
			t.Fatalf("the manager has %v, %v; want %v", got, err, want)
		}
		if slices.Equal(got, want) {
			return
		}
	}
}

package amqpbus_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

// TestRequestsAreTakenDuringAnAlarm: RabbitMQ, short of memory, reads from no
// connection that publishes, as a leader does with its answers. The requests that
// fill its memory are taken from it all the same, leadership moves, and the
// answers arrive when the alarm has ended.
func TestRequestsAreTakenDuringAnAlarm(t *testing.T) {
	const casts, calls = 600, 600 // more than are in hand at a time
	b := shared.Broker(t)
	open, all := make(chan struct{}), make(chan struct{})
	var handled atomic.Int64
	leader := join(t, dial(t, b), "alarm", func(r *bus.Request) {
		<-open
		r.Reply("leader")
		if handled.Add(1) == casts+calls {
			close(all)
		}
	})
	heir := join(t, dial(t, b), "alarm", says("heir"))
	lead(t, leader, 1)
	c := dial(t, b)
	answers := callMany(t, c, "alarm", calls)
	for i := range casts {
		if err := c.Cast(within(t), "alarm", "cast", i); err != nil {
			t.Fatal(err)
		}
	}
	awaitQueue(t, b, "alarm", casts+calls-64)
	calm := alarm(t, b)
	close(open)
	take(t, all, "the requests")
	if err := leader.Follow(within(t)); err != nil {
		t.Error(err)
	}
	lead(t, heir, 2)
	calm()
	wantAnswers(t, answers, calls, "leader")
	wantFrom(t, c, "alarm", "heir", 1)
}

// awaitQueue waits until at least so many messages wait in the queue.
func awaitQueue(t *testing.T, b *rabbittest.Broker, queue string, least int) {
	t.Helper()
	ch := newRaw(t, b).ch
	for ctx := within(t); ; {
		q, err := ch.QueueDeclarePassive(queue, false, true, false, false, nil)
		if err != nil || ctx.Err() != nil {
			t.Fatal(fmt.Errorf("%d messages wait: %w", q.Messages, err))
		}
		if q.Messages >= least {
			return
		}
	}
}

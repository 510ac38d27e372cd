package amqpbus_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/bustest"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

func TestSuite(t *testing.T) { bustest.Run(t, suiteBroker{shared.Broker(t)}) }

type suiteBroker struct{ *rabbittest.Broker }

func (b suiteBroker) Dial(t testing.TB) bus.Conn { return dial(t, b.Broker) }

func (b suiteBroker) DialAt(t testing.TB, addr string) bus.Conn {
	return dialWith(t, bus.Options{URL: "amqp://guest:guest@" + addr + "/"})
}

func (b suiteBroker) Holds() bool { return true }

func (b suiteBroker) Stop(testing.TB) { b.Kill() }

func (b suiteBroker) Start(t testing.TB) {
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (b suiteBroker) Send(t testing.TB, server string, body []byte) {
	newRaw(t, b.Broker).publish("owtRpc", server, body)
}

func (b suiteBroker) Ask(t testing.TB, server string, body func(replyTo string) []byte) []byte {
	r := newRaw(t, b.Broker)
	replies := r.listen("owtRpc", "")
	r.publish("", server, body(r.queue))
	return take(t, replies, "the answer").Body
}

// raw is a client without the adapter, as OWT's programs are.
type raw struct {
	t     testing.TB
	ch    *amqp.Channel
	queue string
}

func newRaw(t testing.TB, b *rabbittest.Broker) *raw {
	t.Helper()
	return newRawAt(t, b.URL())
}

func newRawAt(t testing.TB, url string) *raw {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := &raw{t: t}
	r.reopen(conn)
	return r
}

func (r *raw) reopen(conn *amqp.Connection) {
	r.t.Helper()
	ch, err := conn.Channel()
	if err != nil {
		r.t.Fatal(err)
	}
	// Publishes are confirmed, so that they are on the broker afterwards.
	if err := ch.Confirm(false); err != nil {
		r.t.Fatal(err)
	}
	r.ch = ch
}

// publish sends the body as OWT's programs do, without any property.
func (r *raw) publish(exchange, key string, body []byte) {
	r.t.Helper()
	c, err := r.ch.PublishWithDeferredConfirm(exchange, key, false, false, amqp.Publishing{Body: body})
	if err != nil {
		r.t.Fatal(err)
	}
	if ok, err := c.WaitContext(within(r.t)); err != nil || !ok {
		r.t.Fatalf("publishing to %q %q: %v", exchange, key, err)
	}
}

// listen binds a queue of its own under the key, or under its name.
func (r *raw) listen(exchange, key string) <-chan amqp.Delivery {
	r.t.Helper()
	q, err := r.ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.queue = q.Name
	if key == "" {
		key = q.Name
	}
	if err := r.ch.QueueBind(q.Name, key, exchange, false, nil); err != nil {
		r.t.Fatal(err)
	}
	out, err := r.ch.Consume(q.Name, "", true, false, false, false, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

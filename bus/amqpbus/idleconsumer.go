package amqpbus

import (
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// An idle consumer keeps a queue alive, which the broker deletes with its last
// consumer, and receives nothing from it. AMQP has no such consumer. So the prefetch
// limit of its channel is one message, and an unacknowledged placeholder from a
// private queue occupies it. Nothing else is delivered there.

// renewAfter is the age at which a placeholder is replaced: RabbitMQ
// closes a channel with a message unacknowledged for longer than consumer_timeout,
// 30 minutes by default.
var renewAfter = 10 * time.Minute // shorter in tests

// placeholderTimeout is how long delivering a placeholder may take. A missing one
// was dropped by a policy, or a request took its place.
const placeholderTimeout = time.Second

// placeholderTries is how many placeholders are published before a new idle consumer
// fails.
const placeholderTries = 5

var errNoPlaceholder = errors.New("the broker does not deliver a message from this connection's private queue: does a policy for all queues drop it (max-length 0, reject-publish)?")

// startIdleConsumer starts an idle consumer of the queue. The returned channel
// delivers nothing, and is closed with the AMQP channel or the queue.
func startIdleConsumer(s *session, ch *amqp.Channel, queue string) (<-chan amqp.Delivery, error) {
	p, err := newPlaceholders(s, ch)
	if err != nil {
		return nil, err
	}
	first, err := p.first()
	if err != nil {
		return nil, err
	}
	s.spawn(func() { p.renew(first) })
	return ch.Consume(queue, consumerTag, false, false, false, false, priority(following))
}

// placeholders are the messages that occupy the channel of an idle consumer, one
// after the other. Each is published while its consumer waits, so that it spends no
// time in the queue, where a policy on expiry or queue length could drop it.
type placeholders struct {
	publish   func() error
	delivered <-chan amqp.Delivery // closed with the channel
	over      <-chan struct{}
}

// placeholderTag is the tag of the consumer of placeholders.
const placeholderTag = "plug"

func newPlaceholders(s *session, ch *amqp.Channel) (*placeholders, error) {
	if err := ch.Qos(1, 0, true); err != nil {
		return nil, err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, err
	}
	delivered, err := ch.Consume(q.Name, placeholderTag, false, false, true, false, nil)
	if err != nil {
		return nil, err
	}
	// Not on the idle consumer's channel, where a synchronous method may be in
	// progress.
	publish := func() error { return s.rpc.publishNow(message{key: q.Name}) }
	return &placeholders{publish: publish, delivered: delivered, over: s.over}, nil
}

// first returns the first placeholder. From then on nothing else can be delivered
// on the channel.
func (p *placeholders) first() (amqp.Delivery, error) {
	for range placeholderTries {
		if err := p.publish(); err != nil {
			return amqp.Delivery{}, err
		}
		d, arrived, open := p.await(placeholderTimeout)
		switch {
		case !open:
			return amqp.Delivery{}, amqp.ErrClosed
		case arrived:
			return d, nil
		}
	}
	return amqp.Delivery{}, errNoPlaceholder
}

// renew replaces the placeholder periodically, until the channel is closed. In the
// moment without one, a request for which the leader has no room may take its
// place; it is handed back.
func (p *placeholders) renew(last amqp.Delivery) {
	for held := true; ; {
		wait := renewAfter
		if !held {
			wait = placeholderTimeout
		}
		d, arrived, open := p.await(wait)
		switch {
		case !open:
			return
		case arrived:
			last, held = d, true
			continue
		case held:
			_ = last.Ack(false)
			held = false
		}
		_ = p.publish() // a failed one is retried, unless the channel is closed
	}
}

// await waits for a placeholder. open is false when the channel is closed.
func (p *placeholders) await(limit time.Duration) (d amqp.Delivery, arrived, open bool) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case d, open = <-p.delivered:
		return d, open, open
	case <-t.C:
		return d, false, true
	case <-p.over:
		return d, false, false
	}
}

func priority(r rank) amqp.Table { return amqp.Table{"x-priority": int64(r)} }

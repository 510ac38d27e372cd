package amqpbus

import (
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// An anchor keeps a queue alive, which is deleted with its last consumer, and
// takes nothing from it. AMQP has no consumer that wants nothing. So an anchor's
// channel may have one message that is not acknowledged, and has it: a plug,
// from a queue of its own. Nothing else is delivered there.

// replugAfter is when a plug is acknowledged and another published: RabbitMQ
// closes the channel of who keeps a message for longer than its consumer_timeout,
// which is 30 minutes where nobody set it otherwise.
var replugAfter = 10 * time.Minute // shorter in tests

// plugLost is how long a plug may be on its way. One that does not come was
// dropped by a policy, or found its place taken by a request.
const plugLost = time.Second

// plugTries is how many plugs are published before a new anchor is given up.
const plugTries = 5

var errNoPlug = errors.New("the broker does not deliver a message from a queue of this connection's own: does a policy for all queues drop it (max-length 0, reject-publish)?")

// dropAnchor makes the channel an anchor of the queue. It returns what is
// delivered from that, which is nothing, and ends with the channel or the queue.
func dropAnchor(s *session, ch *amqp.Channel, queue string) (<-chan amqp.Delivery, error) {
	p, err := newPlugs(s, ch)
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

// plugs are the messages that hold the place of an anchor's channel, one after
// the other. Each is published while its consumer waits for it, so that it is
// delivered at once and spends no time in the queue: a policy that lets messages
// expire, or limits the length of queues, would take it away there.
type plugs struct {
	publish   func() error
	delivered <-chan amqp.Delivery // closed with the channel
	over      <-chan struct{}
}

// plugTag is that of the consumer of plugs.
const plugTag = "plug"

func newPlugs(s *session, ch *amqp.Channel) (*plugs, error) {
	if err := ch.Qos(1, 0, true); err != nil {
		return nil, err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, err
	}
	delivered, err := ch.Consume(q.Name, plugTag, false, false, true, false, nil)
	if err != nil {
		return nil, err
	}
	// Not on the anchor's channel, where a question may be asked meanwhile.
	publish := func() error { return s.rpc.publishNow(message{key: q.Name}) }
	return &plugs{publish: publish, delivered: delivered, over: s.over}, nil
}

// first returns the first plug: nothing else can be delivered on the channel
// then.
func (p *plugs) first() (amqp.Delivery, error) {
	for range plugTries {
		if err := p.publish(); err != nil {
			return amqp.Delivery{}, err
		}
		d, arrived, open := p.await(plugLost)
		switch {
		case !open:
			return amqp.Delivery{}, amqp.ErrClosed
		case arrived:
			return d, nil
		}
	}
	return amqp.Delivery{}, errNoPlug
}

// renew replaces the plug from time to time, until the channel is closed. In the
// instant without one, a request for which the leader has no room may take its
// place; it is handed back.
func (p *plugs) renew(last amqp.Delivery) {
	for held := true; ; {
		wait := replugAfter
		if !held {
			wait = plugLost
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
		_ = p.publish() // one that fails is followed by another, or the channel ends
	}
}

// await waits for a plug. Open is false when there will be none.
func (p *plugs) await(limit time.Duration) (d amqp.Delivery, arrived, open bool) {
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

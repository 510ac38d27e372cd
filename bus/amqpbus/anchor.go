package amqpbus

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// An anchor keeps a queue alive, which is deleted with its last consumer, and
// takes nothing from it. AMQP has no consumer that wants nothing. So an anchor's
// channel may have one message that is not acknowledged, and has it: a plug,
// from a queue of its own. Nothing else is delivered there.

// replugAfter is when a plug is handed back and comes again: RabbitMQ closes the
// channel of who keeps a message for longer than its consumer_timeout, which is
// 30 minutes where nobody set it otherwise.
const replugAfter = 10 * time.Minute

// dropAnchor makes the channel an anchor of the queue. It returns what is
// delivered from that, which is nothing, and ends with the channel or the queue.
func dropAnchor(s *session, ch *amqp.Channel, queue string) (<-chan amqp.Delivery, error) {
	plugs, err := plug(ch)
	if err != nil {
		return nil, err
	}
	s.spawn(func() { replug(s, plugs) })
	return ch.Consume(queue, consumerTag, false, false, false, false, priority(following))
}

// plug returns once nothing but the plug can be delivered on the channel.
func plug(ch *amqp.Channel) (<-chan amqp.Delivery, error) {
	if err := ch.Qos(1, 0, true); err != nil {
		return nil, err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, err
	}
	if err := ch.Publish("", q.Name, false, false, amqp.Publishing{}); err != nil {
		return nil, err
	}
	return ch.Consume(q.Name, plugTag, false, false, true, false, nil)
}

// plugTag is that of the consumer of plugs.
const plugTag = "plug"

// replug hands the plug back from time to time. In the instant until it comes
// again, a request for which the leader has no room may take its place; it is
// handed back as well.
func replug(s *session, plugs <-chan amqp.Delivery) {
	due := time.NewTimer(replugAfter)
	defer due.Stop()
	var last amqp.Delivery
	for {
		select {
		case d, ok := <-plugs:
			if !ok {
				return
			}
			last = d
			due.Reset(replugAfter)
		case <-due.C:
			_ = last.Nack(false, true)
		case <-s.over:
			return
		}
	}
}

func priority(r rank) amqp.Table { return amqp.Table{"x-priority": int64(r)} }

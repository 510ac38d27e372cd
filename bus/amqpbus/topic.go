package amqpbus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// Publish implements bus.Conn.
func (c *Conn) Publish(ctx context.Context, topic, key string, body any) error {
	return wrapped(c.publish(ctx, topic, key, body), "publishing on %q", topic)
}

func (c *Conn) publish(ctx context.Context, topic, key string, body any) error {
	if err := checkName("topic", topic); err != nil {
		return err
	}
	if len(key) > maxName {
		return fmt.Errorf("the key has %d bytes, AMQP takes at most %d", len(key), maxName)
	}
	encoded, err := bus.EncodeArgs(body)
	if err != nil {
		return err
	}
	s, err := c.current()
	if err != nil {
		return err
	}
	if err := s.notices.topic(ctx, topic); err != nil {
		return c.closedHere(err)
	}
	return c.closedHere(s.notices.publish(ctx, message{exchange: topic, key: key, body: encoded[0]}))
}

// subscription is a listener that is running.
type subscription struct {
	conn     *Conn
	consumer *consumer
	inbox    *inbox
	dropped  atomic.Uint64
}

// Subscribe implements bus.Conn.
func (c *Conn) Subscribe(ctx context.Context, topic, pattern string, l bus.Listener) (bus.Subscription, error) {
	if err := checkPattern(topic, pattern); err != nil {
		return nil, err
	}
	s := &subscription{conn: c}
	s.inbox = newInbox(bus.ListenerBacklog, func(m item) { l(m.key, json.RawMessage(m.body)) })
	k := newConsumer(c, "listener on "+topic)
	k.declare = func(ch *amqp.Channel) (string, error) {
		if err := declareTopic(ch, topic); err != nil {
			return "", err
		}
		return declareOwn(ch, topic, pattern)
	}
	k.handle = s.receive
	k.stop = s.inbox.abandon
	s.consumer = k
	if err := c.consume(ctx, k); err != nil {
		return nil, fmt.Errorf("amqpbus: subscribing to %q: %w", topic, err)
	}
	return s, nil
}

// checkPattern refuses # before the last word, which RabbitMQ would accept, as
// package bus requires.
func checkPattern(topic, pattern string) error {
	if err := checkName("topic", topic); err != nil {
		return err
	}
	if err := checkName("pattern", pattern); err != nil {
		return err
	}
	words := strings.Split(pattern, ".")
	for _, word := range words[:len(words)-1] {
		if word == "#" {
			return fmt.Errorf("amqpbus: pattern %q: # may only be the last word", pattern)
		}
	}
	return nil
}

func (s *subscription) receive(d amqp.Delivery) {
	if !s.inbox.put(item{key: d.RoutingKey, body: d.Body}) {
		s.dropped.Add(1)
	}
}

// Dropped implements bus.Subscription.
func (s *subscription) Dropped() uint64 { return s.dropped.Load() }

// Close implements bus.Subscription. Waiting messages are dropped.
func (s *subscription) Close() error {
	s.inbox.skip.Store(true)
	s.conn.forget(s.consumer)
	s.consumer.close()
	return nil
}

package natsbus

import (
	"context"
	"fmt"

	"github.com/muster-fleet/muster/bus"
	"github.com/nats-io/nats.go"
)

// Publish sends body to all listeners whose pattern matches.
func (c *Conn) Publish(ctx context.Context, topic, key string, body any) error {
	err := c.check(ctx)
	if err == nil {
		err = c.publish(topic, key, body)
	}
	if err != nil {
		return fmt.Errorf("publish %q on topic %q: %w", key, topic, err)
	}
	return nil
}

func (c *Conn) publish(topic, key string, body any) error {
	encoded, err := bus.EncodeArgs(body)
	if err != nil {
		return fmt.Errorf("the body cannot be encoded: %w", err)
	}
	subject, err := noticeSubject(topic, key)
	if err != nil {
		return err
	}
	return c.sendError(c.nc.Load().Publish(subject, encoded[0]), len(encoded[0]))
}

// Subscribe calls l with each message on the topic whose key matches.
func (c *Conn) Subscribe(ctx context.Context, topic, pattern string, l bus.Listener) (bus.Subscription, error) {
	err := c.check(ctx)
	var s bus.Subscription
	if err == nil {
		s, err = c.listen(ctx, topic, pattern, l)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe to %q on topic %q: %w", pattern, topic, err)
	}
	return s, nil
}

// listener is a running listener.
type listener struct{ *subscription }

func (c *Conn) listen(ctx context.Context, topic, pattern string, l bus.Listener) (bus.Subscription, error) {
	subject, err := patternSubject(topic, pattern)
	if err != nil {
		return nil, err
	}
	prefix := topicLength(topic)
	s, err := c.subscribe(ctx, subject, "", listenerLimit, func(m *nats.Msg) {
		key, err := keyOf(m.Subject, prefix)
		if err != nil {
			c.log.Debug("malformed notice", "subject", m.Subject, "err", err)
			return
		}
		l(key, m.Data)
	})
	if err != nil {
		return nil, err
	}
	return listener{s}, nil
}

// Close ends it and waits for the listener.
func (l listener) Close() error {
	l.end((*nats.Subscription).Unsubscribe)
	return nil
}

package amqpbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// maxName is how long AMQP lets the name of a queue, an exchange or a key be,
// in bytes. The library breaks the connection on a longer one.
const maxName = 255

// contentType is what the older of OWT's programs need to see before they
// decode a body.
const contentType = "application/json"

// publisher is a channel to publish on. It is reopened when the broker closes it.
type publisher struct {
	session *session
	what    string
	lost    func(error)       // called when the broker closed the channel
	back    func(amqp.Return) // called with mandatory messages that reached no queue

	mu       sync.Mutex
	channel  *amqp.Channel
	declared map[string]bool // topics declared on this session
}

func newPublisher(s *session, what string) *publisher {
	return &publisher{session: s, what: what, back: s.owner.calls.unroutable}
}

func (p *publisher) open() error {
	ch, err := p.session.conn.Channel()
	if err != nil {
		return err
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	returns := ch.NotifyReturn(make(chan amqp.Return, 64))
	p.mu.Lock()
	p.channel, p.declared = ch, map[string]bool{}
	p.mu.Unlock()
	if !p.session.spawn(func() { p.keep(closed, returns) }) {
		return bus.ErrDisconnected
	}
	return nil
}

// keep handles returned messages until the channel is closed, and then opens the
// next one unless the session has ended.
func (p *publisher) keep(closed <-chan *amqp.Error, returns <-chan amqp.Return) {
	for r := range returns {
		p.back(r)
	}
	err := <-closed
	if err == nil || p.session.isOver() {
		return
	}
	p.session.owner.limits.learn(err)
	p.session.owner.log.Warn("broker closed a channel, opening another", "what", p.what, "err", err)
	if p.lost != nil {
		p.lost(err)
	}
	var pause backoff
	for pause.wait(p.session.over, nil) && !p.session.isOver() {
		if p.open() == nil {
			return
		}
	}
}

// publish waits for room in the connection's buffer and sends a message.
func (p *publisher) publish(ctx context.Context, m message) error {
	if most := p.session.owner.limits.maxBody(); len(m.body) > most {
		return fmt.Errorf("%w: it has %d bytes, RabbitMQ takes %d (max_message_size)", bus.ErrTooLarge, len(m.body), most)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.session.wire.Room(ctx); err != nil {
		return err
	}
	return p.publishNow(m)
}

// publishNow does not wait for room.
func (p *publisher) publishNow(m message) error {
	p.mu.Lock()
	ch := p.channel
	p.mu.Unlock()
	return m.publish(ch)
}

// message is what is published.
type message struct {
	exchange, key string
	mandatory     bool
	body          []byte
}

func (m message) publish(ch *amqp.Channel) error {
	err := ch.Publish(m.exchange, m.key, m.mandatory, false, amqp.Publishing{ContentType: contentType, Body: m.body})
	if err != nil {
		return fmt.Errorf("%w: %w", bus.ErrDisconnected, err)
	}
	return nil
}

// topic declares the topic unless that was done before.
func (p *publisher) topic(ctx context.Context, topic string) error {
	if p.knows(topic) {
		return nil
	}
	err := p.session.run(ctx, func() error {
		// A channel of its own, since a topic that exists with other flags
		// closes the channel.
		ch, err := p.session.conn.Channel()
		if err != nil {
			return err
		}
		defer ch.Close()
		return declareTopic(ch, topic)
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.declared[topic] = true
	return nil
}

func (p *publisher) knows(topic string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.declared[topic]
}

// checkName refuses names for which the broker closes the channel or connection.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("amqpbus: the name of the %s is empty", what)
	case len(name) > maxName:
		return fmt.Errorf("amqpbus: the name of the %s has %d bytes, AMQP takes at most %d", what, len(name), maxName)
	case strings.ContainsAny(name, "\r\n"):
		return fmt.Errorf("amqpbus: the name of the %s %q has a line break, which RabbitMQ would cut out", what, name)
	}
	return nil
}

// isMissing reports whether the broker has no such exchange or queue.
func isMissing(err error) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Code == amqp.NotFound
}

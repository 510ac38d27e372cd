package amqpbus

import (
	"bytes"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// line is a channel on which answers leave while the broker is asked for
// something. The library lets a question come between the frames of a message,
// for which the broker breaks the connection; so what is said during a question
// leaves after it, in order. Nobody who speaks waits for the broker.
type line struct {
	channel *amqp.Channel

	mu     sync.Mutex
	asking bool
	later  []func()
}

// ask returns the broker's answer. It is for one goroutine at a time.
func (l *line) ask(question func(*amqp.Channel) error) error {
	l.mu.Lock()
	l.asking = true
	l.mu.Unlock()
	err := question(l.channel)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, say := range l.later {
		say()
	}
	l.later, l.asking = nil, false
	return err
}

// publish returns nil for what leaves later: if it fails then, the channel is
// gone, and with it what is acknowledged after it.
func (l *line) publish(m message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asking {
		return m.publish(l.channel)
	}
	m.body = bytes.Clone(m.body)
	l.later = append(l.later, func() { _ = m.publish(l.channel) })
	return nil
}

// acknowledge tells that a delivery was dealt with, or all up to it. Errors mean
// that the channel is gone, and that the broker has taken everything back.
func (l *line) acknowledge(tag uint64, allUpTo bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asking {
		_ = l.channel.Ack(tag, allUpTo)
		return
	}
	l.later = append(l.later, func() { _ = l.channel.Ack(tag, allUpTo) })
}

// giveBack is acknowledge for a delivery that somebody else must have.
func (l *line) giveBack(tag uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asking {
		_ = l.channel.Nack(tag, false, true)
		return
	}
	l.later = append(l.later, func() { _ = l.channel.Nack(tag, false, true) })
}

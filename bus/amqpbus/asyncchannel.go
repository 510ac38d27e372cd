package amqpbus

import (
	"bytes"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// asyncChannel is a channel on which answers are sent while a synchronous AMQP
// method is in progress. The library may write the method between the frames of
// a message, for which the broker closes the connection. So messages and
// acknowledgements are deferred until the method returns, in order, and their
// senders never wait for the broker.
type asyncChannel struct {
	channel *amqp.Channel

	mu       sync.Mutex
	calling  bool
	deferred []func()
}

// call runs a synchronous AMQP method. It must not be called concurrently.
func (l *asyncChannel) call(request func(*amqp.Channel) error) error {
	l.mu.Lock()
	l.calling = true
	l.mu.Unlock()
	err := request(l.channel)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, send := range l.deferred {
		send()
	}
	l.deferred, l.calling = nil, false
	return err
}

// publish returns nil for a deferred message: if sending it fails, the channel
// is closed, and the acknowledgements after it are not sent either.
func (l *asyncChannel) publish(m message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.calling {
		return m.publish(l.channel)
	}
	m.body = bytes.Clone(m.body)
	l.deferred = append(l.deferred, func() { _ = m.publish(l.channel) })
	return nil
}

// acknowledge acknowledges a delivery, or all up to it. Errors mean that the
// channel is closed and that the broker has requeued everything.
func (l *asyncChannel) acknowledge(tag uint64, allUpTo bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.calling {
		_ = l.channel.Ack(tag, allUpTo)
		return
	}
	l.deferred = append(l.deferred, func() { _ = l.channel.Ack(tag, allUpTo) })
}

// giveBack returns a delivery to the queue, for another member.
func (l *asyncChannel) giveBack(tag uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.calling {
		_ = l.channel.Nack(tag, false, true)
		return
	}
	l.deferred = append(l.deferred, func() { _ = l.channel.Nack(tag, false, true) })
}

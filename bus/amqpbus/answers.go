package amqpbus

import (
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
)

// answers is the channel on which a leader answers the requests that the broker
// holds. A request is acknowledged when the broker has confirmed its answer, so
// that a leader that dies in between loses neither.
//
// Requests arrive and are acknowledged on another connection, which publishes
// nothing: RabbitMQ, short of memory or disk, reads from no connection that
// publishes, and what fills its memory may be the requests. While it is, they
// are acknowledged unconfirmed: otherwise those that fill the memory would wait
// for their answers, and these for the memory.
type answers struct {
	session *session
	channel *amqp.Channel
	ended   chan struct{}  // closed when nothing more is confirmed
	empty   mailbox.Signal // has a token after the last one was confirmed

	mu      sync.Mutex
	blocked bool
	// unconfirmed are the requests of the published answers, in order; nil for
	// one whose request is not to be acknowledged, or already is.
	unconfirmed []*held
}

func openAnswers(s *session) (*answers, error) {
	ch, err := s.conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Confirm(false); err != nil {
		_ = ch.Close()
		return nil, err
	}
	a := &answers{session: s, channel: ch, ended: make(chan struct{}), empty: mailbox.NewSignal()}
	confirmed := ch.NotifyPublish(make(chan amqp.Confirmation, 256))
	if !s.spawn(func() { a.settleConfirmed(confirmed) }) {
		return nil, bus.ErrDisconnected
	}
	blocked := s.conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	s.spawn(func() {
		for b := range blocked {
			a.setBlocked(b.Active)
		}
	})
	if s.blocked.Load() != nil {
		a.setBlocked(true)
	}
	return a, nil
}

// publish sends an answer. The request k, unless nil, is settled when the broker
// has the answer.
func (a *answers) publish(m message, k *held) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := m.publish(a.channel); err != nil {
		return err
	}
	if a.blocked && k != nil {
		k.settle(true)
		k = nil
	}
	a.unconfirmed = append(a.unconfirmed, k)
	return nil
}

// dropped is called instead of publish where the connection is stuck. The request
// stays held, unless the broker is blocked.
func (a *answers) dropped(k *held) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.blocked {
		k.settle(true)
	}
}

// settleConfirmed runs until the channel is closed. The library puts
// confirmations in the order of publishing.
func (a *answers) settleConfirmed(confirmed <-chan amqp.Confirmation) {
	defer close(a.ended)
	for c := range confirmed {
		a.mu.Lock()
		k := a.unconfirmed[0]
		a.unconfirmed = a.unconfirmed[1:]
		if len(a.unconfirmed) == 0 {
			a.empty.Raise()
		}
		a.mu.Unlock()
		if k != nil {
			k.settle(c.Ack)
		}
	}
}

// setBlocked settles all requests whose answers wait if the broker blocks.
func (a *answers) setBlocked(blocked bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.blocked = blocked
	if !blocked {
		return
	}
	for i, k := range a.unconfirmed {
		if k != nil {
			k.settle(true)
		}
		a.unconfirmed[i] = nil
	}
}

// close waits until what was published is confirmed, or for closeLimit.
func (a *answers) close() {
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	for a.waits() {
		select {
		case <-a.empty:
		case <-a.ended:
			return
		case <-limit.C:
			return
		case <-a.session.over:
			return
		}
	}
	_ = a.channel.Close()
}

// waits reports whether a request waits for a confirmation.
func (a *answers) waits() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.blocked && len(a.unconfirmed) > 0
}

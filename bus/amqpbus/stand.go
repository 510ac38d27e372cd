package amqpbus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// rank is the priority of a consumer: RabbitMQ delivers to the highest. A leader
// has its term. The others come after whoever serves plainly, who has 0.
type rank int64

const following rank = -1

func leading(term uint64) rank { return rank(min(term, math.MaxInt64)) }

// post is one member of those that serve a name in turn. Its consumer is an
// anchor, which is there in any role; the desk is where requests come while it
// leads.
type post struct {
	*service

	// turning is held while the broker is asked for something on the desk.
	turning sync.Mutex
	desk    *desk // nil before the first

	mu     sync.Mutex
	wanted rank
	deaf   bool // receives nothing any more
}

// JoinGroup implements bus.Conn. RabbitMQ holds requests; see package bus.
func (c *Conn) JoinGroup(ctx context.Context, server string, h bus.Handler) (bus.GroupMember, error) {
	if err := checkName("server", server); err != nil {
		return nil, err
	}
	p := &post{service: newService(c, server, h), wanted: following}
	k := p.consumer
	k.begin, k.cancel, k.stop = p.begin, p.cancel, p.stop
	k.handle = func(d amqp.Delivery) { _ = d.Nack(false, true) } // not for an anchor
	if err := c.consume(ctx, k); err != nil {
		return nil, fmt.Errorf("amqpbus: standing for %q: %w", server, err)
	}
	return p, nil
}

// Lead implements bus.GroupMember.
func (p *post) Lead(ctx context.Context, term uint64) error {
	if term == 0 {
		return errors.New("amqpbus: a term is at least 1")
	}
	if err := p.turn(ctx, leading(term)); err != nil {
		return fmt.Errorf("amqpbus: leading %q: %w", p.name, err)
	}
	return nil
}

// Follow implements bus.GroupMember.
func (p *post) Follow(ctx context.Context) error {
	if err := p.turn(ctx, following); err != nil {
		return fmt.Errorf("amqpbus: following at %q: %w", p.name, err)
	}
	return nil
}

// Close implements bus.Service.
func (p *post) Close() error {
	p.inbox.skip.Store(true)
	return p.service.Close()
}

// turn notes the rank for the connections to come, and asks for it on this one.
func (p *post) turn(ctx context.Context, r rank) error {
	p.mu.Lock()
	p.wanted = r
	p.mu.Unlock()
	s, err := p.conn.current()
	if err != nil {
		return err
	}
	return p.conn.because(s.run(ctx, p.sit))
}

// sit takes the wanted rank in place of the one that there is.
func (p *post) sit() error {
	p.turning.Lock()
	defer p.turning.Unlock()
	switch {
	case p.isClosed():
		return bus.ErrClosed
	case p.desk == nil:
		return nil
	}
	return p.desk.sit(p.rank())
}

// begin is called with each new channel, which is the anchor's.
func (p *post) begin(s *session, ch *amqp.Channel, queue string) (<-chan amqp.Delivery, error) {
	p.turning.Lock()
	defer p.turning.Unlock()
	if p.desk != nil {
		p.desk.leave()
		p.desk = nil
	}
	deliveries, err := dropAnchor(s, ch, queue)
	if err != nil {
		return nil, err
	}
	d, err := p.openDesk(s, ch, queue)
	if err != nil {
		return nil, err
	}
	if err := d.sit(p.rank()); err != nil {
		d.leave()
		return nil, err
	}
	p.desk = d
	return deliveries, nil
}

// cancel lets the broker have back what is not answered.
func (p *post) cancel(ch *amqp.Channel) {
	p.turning.Lock()
	defer p.turning.Unlock()
	if p.desk != nil {
		p.desk.leave()
	}
	_ = ch.Cancel(consumerTag, false)
}

// take hands a delivery to the handler. On a broker that is frozen some may
// still come after stop.
func (p *post) take(body []byte, k *held) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.deaf {
		p.receive(letter{body: body, held: k})
	}
}

func (p *post) stop() {
	p.mu.Lock()
	p.deaf = true
	p.mu.Unlock()
	p.inbox.abandon()
	p.signs.abandon()
	p.bulk.Wait()
}

func (p *post) rank() rank {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted
}

func (p *post) isClosed() bool {
	select {
	case <-p.consumer.done:
		return true
	default:
		return false
	}
}

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
// has its term. Followers rank below plain servers, which have 0.
type rank int64

const following rank = -1

func leading(term uint64) rank { return rank(min(term, math.MaxInt64)) }

// groupMember is a member of a group. Its consumer is idle, and there in any role,
// to keep the queue alive; leader receives the requests while the member leads.
type groupMember struct {
	*service

	// changing is held while leader is changed at the broker.
	changing sync.Mutex
	leader   *leaderConsumer // nil before the first channel

	mu      sync.Mutex
	wanted  rank
	stopped bool // receives no more requests
}

// JoinGroup implements bus.Conn. RabbitMQ holds requests; see package bus.
func (c *Conn) JoinGroup(ctx context.Context, server string, h bus.Handler) (bus.GroupMember, error) {
	if err := checkName("server", server); err != nil {
		return nil, err
	}
	p := &groupMember{service: newService(ctx, c, server, h), wanted: following}
	k := p.consumer
	k.begin, k.cancel, k.stop = p.begin, p.cancel, p.stop
	k.handle = func(d amqp.Delivery) { _ = d.Nack(false, true) } // an idle consumer handles nothing
	if err := c.consume(ctx, k); err != nil {
		return nil, fmt.Errorf("amqpbus: joining the group %q: %w", server, err)
	}
	return p, nil
}

// Lead implements bus.GroupMember.
func (p *groupMember) Lead(ctx context.Context, term uint64) error {
	if term == 0 {
		return errors.New("amqpbus: a term is at least 1")
	}
	return wrapped(p.setRank(ctx, leading(term)), "leading %q", p.name)
}

// Follow implements bus.GroupMember.
func (p *groupMember) Follow(ctx context.Context) error {
	return wrapped(p.setRank(ctx, following), "following at %q", p.name)
}

// Close implements bus.Service.
func (p *groupMember) Close() error {
	p.inbox.skip.Store(true)
	return p.service.Close()
}

// setRank stores the rank for later connections, and applies it to this one.
func (p *groupMember) setRank(ctx context.Context, r rank) error {
	p.mu.Lock()
	p.wanted = r
	p.mu.Unlock()
	s, err := p.conn.current()
	if err != nil {
		return err
	}
	return p.conn.closedHere(s.run(ctx, p.applyRank))
}

// applyRank consumes with the wanted rank.
func (p *groupMember) applyRank() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	switch {
	case p.isClosed():
		return bus.ErrClosed
	case p.leader == nil:
		return nil
	}
	return p.leader.consume(p.rank())
}

// begin is called with each new channel of the idle consumer.
func (p *groupMember) begin(s *session, ch *amqp.Channel, queue string) (<-chan amqp.Delivery, error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.leader != nil {
		p.leader.close()
		p.leader = nil
	}
	deliveries, err := startIdleConsumer(s, ch, queue)
	if err != nil {
		return nil, err
	}
	d, err := p.openLeaderConsumer(s, ch, queue)
	if err != nil {
		return nil, err
	}
	if err := d.consume(p.rank()); err != nil {
		d.close()
		return nil, err
	}
	p.leader = d
	return deliveries, nil
}

// cancel returns unanswered requests to the broker.
func (p *groupMember) cancel(ch *amqp.Channel) {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.leader != nil {
		p.leader.close()
	}
	_ = ch.Cancel(consumerTag, false)
}

// take queues a delivery for the handler. On a frozen broker some may still
// arrive after stop.
func (p *groupMember) take(body []byte, k *held) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.receive(item{body: body, held: k})
	}
}

func (p *groupMember) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.inbox.abandon()
	p.keepAlives.abandon()
	p.bulk.Wait()
}

func (p *groupMember) rank() rank {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted
}

func (p *groupMember) isClosed() bool {
	select {
	case <-p.consumer.done:
		return true
	default:
		return false
	}
}

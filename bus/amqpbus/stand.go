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

// followerPrefetch is how many requests a member that does not lead holds at
// most, and the fewest that AMQP can say: it consumes to keep the queue alive,
// and what stays there is with the next leader at once. A leader has no limit:
// while that is reached, RabbitMQ would deliver to the others.
const followerPrefetch = 1

// rank is the priority of a consumer: RabbitMQ delivers to the highest. A leader
// has its term. The others come after whoever serves plainly, who has 0.
type rank int64

const following rank = -1

func leading(term uint64) rank { return rank(min(term, math.MaxInt64)) }

// post is one member of those that serve a name in turn. It changes its rank by
// consuming a second time and then cancelling the first consumer, on the same
// channel: the queue is never without consumer, which would delete it, and what
// the member has received stays its own.
type post struct {
	*service

	// turning is held while the broker is asked for another rank, or for the
	// first on a channel.
	turning sync.Mutex

	mu     sync.Mutex
	wanted rank
	now    station
	// queued are the deliveries of the consumers after the one that is being
	// received from.
	queued []<-chan amqp.Delivery
}

// station is where a post stands on the broker.
type station struct {
	hold  *hold // nil before the first
	queue string
	rank  rank
	tag   string // of the consumer
}

// Stand implements bus.Conn. RabbitMQ holds requests; see package bus.
func (c *Conn) Stand(ctx context.Context, server string, h bus.Handler) (bus.Post, error) {
	if err := checkName("server", server); err != nil {
		return nil, err
	}
	p := &post{service: newService(c, server, h), wanted: following}
	k := p.consumer
	k.begin, k.next, k.cancel = p.begin, p.next, p.cancel
	k.handle = func(d amqp.Delivery) {
		p.receive(letter{body: d.Body, held: p.station().hold.receive(d.DeliveryTag)})
	}
	k.stop = p.inbox.abandon
	if err := c.consume(ctx, k); err != nil {
		return nil, fmt.Errorf("amqpbus: standing for %q: %w", server, err)
	}
	return p, nil
}

// Lead implements bus.Post.
func (p *post) Lead(ctx context.Context, term uint64) error {
	if term == 0 {
		return errors.New("amqpbus: a term is at least 1")
	}
	if err := p.turn(ctx, leading(term)); err != nil {
		return fmt.Errorf("amqpbus: leading %q: %w", p.name, err)
	}
	return nil
}

// Follow implements bus.Post.
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
	return p.conn.because(s.run(ctx, p.consumeAgain))
}

// consumeAgain takes the wanted rank in place of the one that there is.
func (p *post) consumeAgain() error {
	p.turning.Lock()
	defer p.turning.Unlock()
	old, r := p.station(), p.rank()
	switch {
	case p.isClosed():
		return bus.ErrClosed
	case old.hold == nil || old.rank == r:
		return nil
	}
	_, err := p.consume(old.hold, old.queue, r)
	if err != nil {
		return err
	}
	return old.hold.channel.Cancel(old.tag, false)
}

// begin is called with each new channel.
func (p *post) begin(s *session, ch *amqp.Channel, queue string) (<-chan amqp.Delivery, error) {
	p.turning.Lock()
	defer p.turning.Unlock()
	if old := p.station().hold; old != nil {
		old.end()
	}
	h := newHold(s, ch)
	if !s.spawn(h.run) {
		return nil, bus.ErrDisconnected
	}
	p.mu.Lock()
	p.now, p.queued = station{}, nil
	p.mu.Unlock()
	if _, err := p.consume(h, queue, p.rank()); err != nil {
		h.end()
		return nil, err
	}
	return p.next(), nil
}

// consume begins another consumer. It needs p.turning.
func (p *post) consume(h *hold, queue string, r rank) (<-chan amqp.Delivery, error) {
	prefetch := 0
	if r == following {
		prefetch = followerPrefetch
	}
	if err := h.channel.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	tag := consumerTag
	if p.station().tag == tag {
		tag = otherConsumerTag
	}
	deliveries, err := h.channel.Consume(queue, tag, false, false, false, false, amqp.Table{"x-priority": int64(r)})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = station{hold: h, queue: queue, rank: r, tag: tag}
	p.queued = append(p.queued, deliveries)
	return deliveries, nil
}

// otherConsumerTag is that of the second consumer while the first is there.
const otherConsumerTag = "n"

// next returns the deliveries of the next consumer, nil if there is none.
func (p *post) next() <-chan amqp.Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queued) == 0 {
		return nil
	}
	first := p.queued[0]
	p.queued = p.queued[1:]
	return first
}

// cancel lets the broker have back what is not answered.
func (p *post) cancel(*amqp.Channel) {
	p.turning.Lock()
	defer p.turning.Unlock()
	if at := p.station(); at.hold != nil {
		_ = at.hold.channel.Cancel(at.tag, false)
		at.hold.end()
	}
}

func (p *post) station() station {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
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

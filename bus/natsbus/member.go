package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/muster-fleet/muster/bus"
	"github.com/nats-io/nats.go"
)

// groupMember is a member of a group. NATS holds no requests, so only the leader
// subscribes.
type groupMember struct {
	*service
	name    string
	subject string

	mu     sync.Mutex
	leads  bool // subscription is one
	closed bool
}

// JoinGroup makes the Conn a member of the group that serves a name. Without a
// leader the name does not exist: callers get bus.ErrNoServer at once, and must
// retry. Requests that a leader had received when it died are lost: their callers
// time out.
//
// Leaders of different terms all get every request, so that a frozen old leader
// does not swallow any.
func (c *Conn) JoinGroup(ctx context.Context, server string, h bus.Handler) (bus.GroupMember, error) {
	subject, err := c.serveSubject(server)
	if err == nil {
		err = c.check(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("stand for %q: %w", server, err)
	}
	return &groupMember{service: newService(ctx, c, h), name: server, subject: subject}, nil
}

// Lead makes this member the leader of that term.
func (p *groupMember) Lead(ctx context.Context, term uint64) error {
	if term == 0 {
		return errors.New("natsbus: a term is at least 1")
	}
	if err := p.lead(ctx, term); err != nil {
		return fmt.Errorf("lead %q: %w", p.name, err)
	}
	return nil
}

// lead subscribes in the queue group of the term. A leader that is re-elected stays
// in the group of its first term: what counts is that no other leader is in it. If
// the subscription fails now, the next connection restores it.
func (p *groupMember) lead(ctx context.Context, term uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.conn.closing.Load() {
		return bus.ErrClosed
	}
	if p.leads {
		return p.conn.flush(ctx)
	}
	group := queueGroup + "." + strconv.FormatUint(term, 10)
	p.subscription, p.leads = p.conn.newSubscription(p.subject, group, serviceLimit, p.take), true
	p.last = p.bulk.Wait
	return p.register(ctx)
}

// Follow makes this member a follower.
func (p *groupMember) Follow(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.conn.closing.Load() {
		return fmt.Errorf("follow at %q: %w", p.name, bus.ErrClosed)
	}
	p.stopConsuming()
	return nil
}

// Close ends it, and waits for the handler.
func (p *groupMember) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.stopConsuming()
	return nil
}

// stopConsuming unsubscribes, and lets the handler process the requests received so
// far.
func (p *groupMember) stopConsuming() {
	if p.leads {
		p.subscription.end(closeMode(p.conn))
		p.leads = false
	}
}

// closeMode drains a subscription while connected, or else just ends it.
func closeMode(c *Conn) func(*nats.Subscription) error {
	if c.wire.up.Load() {
		return (*nats.Subscription).Drain
	}
	return (*nats.Subscription).Unsubscribe
}

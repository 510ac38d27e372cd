package simtest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

var errTimeout = context.DeadlineExceeded

// letter is a request on its way to the managers.
type letter struct {
	number uint64 // of the call, by the one who makes it
	from   string
	method string
	args   bus.Args
	wanted bool
	back   *conn // where the answer goes
	sent   time.Duration
	place  uint64 // in the queue; it keeps that when it comes back
	// known is when the state was the last one that it is answered from, at the
	// latest.
	known time.Duration
}

// before orders letters that are held.
func (l *letter) before(o *letter) bool {
	return cmp.Or(cmp.Compare(l.from, o.from), cmp.Compare(l.number, o.number)) < 0
}

func (l *letter) String() string {
	return fmt.Sprintf("%s/%d %s%s", l.from, l.number, l.method, l.args)
}

// tooLarge reports that no manager takes it: see placeTooLarge.
func (l *letter) tooLarge() bool {
	return l.method == "schedule" && len(l.args[2]) > muster.MaxPreference
}

// broker is a model of RabbitMQ as bus/amqpbus uses it: one queue, in which a
// request stays until a manager has dealt with it. One that is lossy is a model
// of NATS as bus/natsbus uses it: a request goes to the leader and is forgotten.
type broker struct {
	sim    *Sim
	up     bool
	lossy  bool
	count  uint64
	queue  []*letter
	stands []*stand
	// blocked is until when it takes no messages, as at a memory alarm.
	blocked time.Duration
	since   time.Duration // when it was restarted last
}

// stand is a manager that consumes from the queue.
type stand struct {
	conn    *conn
	rank    int64 // the highest gets the requests
	held    []*letter
	deliver func(*stand, *letter)
	hear    func(key string, body json.RawMessage)
}

// followers hold as many requests at most; the leader any number.
const followerHolds = 1

// putOff has f run once the broker takes messages again. It reports false, and
// does nothing, while it does.
func (b *broker) putOff(f func()) bool {
	if b.sim.now >= b.blocked {
		return false
	}
	b.sim.after(b.blocked-b.sim.now, f)
	return true
}

func (b *broker) publish(l *letter) {
	if b.putOff(func() { b.publish(l) }) {
		return
	}
	if !b.up { // it was blocked, and restarted
		return
	}
	to := b.free()
	if len(b.stands) == 0 || b.lossy && (to == nil || to.rank <= 0) {
		if l.wanted {
			b.back(l, bus.Reply{}, bus.ErrNoServer)
		}
		return
	}
	if b.lossy {
		to.conn.toClient(func() { to.deliver(to, l) })
		return
	}
	b.count++
	l.place = b.count
	b.queue = append(b.queue, l)
	b.dispatch()
}

// dispatch delivers what can be delivered.
func (b *broker) dispatch() {
	for len(b.queue) > 0 {
		to := b.free()
		if to == nil {
			return
		}
		l := b.queue[0]
		b.queue = b.queue[1:]
		to.held = append(to.held, l)
		to.conn.toClient(func() { to.deliver(to, l) })
	}
}

// free is who gets the next request: of those with the highest rank that can
// take one the first.
func (b *broker) free() *stand {
	var best *stand
	for _, s := range b.stands {
		room := s.rank > 0 || len(s.held) < followerHolds
		if room && (best == nil || s.rank > best.rank) {
			best = s
		}
	}
	return best
}

// stand begins to consume, or does so with another rank.
func (b *broker) stand(c *conn, rank int64, deliver func(*stand, *letter), hear func(string, json.RawMessage)) {
	i := b.find(c)
	if i < 0 {
		b.stands = append(b.stands, &stand{conn: c, rank: rank, deliver: deliver, hear: hear})
	} else {
		b.stands[i].rank = rank
	}
	b.dispatch()
}

// tellAll passes a message on to all managers.
func (b *broker) tellAll(key string, body json.RawMessage) {
	if b.putOff(func() { b.tellAll(key, body) }) {
		return
	}
	for _, s := range b.stands {
		s.conn.toClient(func() { s.hear(key, body) })
	}
}

// settle ends a request, or puts it back to its place.
func (b *broker) settle(s *stand, l *letter, done bool) {
	i := slices.Index(s.held, l)
	if i < 0 {
		return
	}
	s.held = slices.Delete(s.held, i, i+1)
	if !done {
		b.requeue(l)
	}
	b.dispatch()
}

// requeue puts letters back to their places.
func (b *broker) requeue(letters ...*letter) {
	b.queue = append(b.queue, letters...)
	slices.SortFunc(b.queue, func(a, b *letter) int { return cmp.Compare(a.place, b.place) })
}

// find returns the place of a connection among the stands, -1 if it has none.
func (b *broker) find(c *conn) int {
	return slices.IndexFunc(b.stands, func(s *stand) bool { return s.conn == c })
}

// closed hands what a manager held to the others.
func (b *broker) closed(c *conn) {
	i := b.find(c)
	if i < 0 {
		return
	}
	gone := b.stands[i]
	b.stands = slices.Delete(b.stands, i, i+1)
	if len(b.stands) == 0 {
		b.queue = nil // as RabbitMQ deletes a queue without consumers
		return
	}
	b.requeue(gone.held...)
	b.dispatch()
}

// back sends an answer to the one who asked.
func (b *broker) back(l *letter, reply bus.Reply, err error) {
	if b.putOff(func() { b.back(l, reply, err) }) { // answers are messages, too
		return
	}
	if l.back.queueOpen {
		l.back.toClient(func() { l.back.client.receive(l, reply, err) })
	}
}

// block has the broker take no messages for a while, as at a memory alarm. The
// managers hear of it: RabbitMQ says so, and of NATS, which stands still then, their
// probes do.
func (b *broker) block(d time.Duration) {
	s := b.sim
	b.blocked = max(b.blocked, s.now+d)
	s.logf("the queue takes no messages until %s", millis(b.blocked))
	b.tellBlocked(true)
	s.after(d, func() {
		if s.now < b.blocked {
			return
		}
		s.logf("the queue takes messages again")
		s.truth.unblocked()
		b.tellBlocked(false)
	})
}

func (b *broker) tellBlocked(blocked bool) {
	for _, m := range b.sim.managers {
		if m.conn != nil {
			m.hearBlocked(m.conn, blocked)
		}
	}
}

// restart loses everything, and all connections.
func (b *broker) restart(away time.Duration) {
	s := b.sim
	s.logf("the queue is killed, for %v", away)
	b.up = false
	for _, c := range slices.Clone(s.conns) {
		c.closeQueue()
	}
	b.queue, b.stands = nil, nil
	s.after(away, func() {
		s.logf("the queue is back")
		b.up, b.since = true, s.now
	})
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

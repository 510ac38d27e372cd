package amqpbus

import (
	"runtime"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/internal/mailbox"
)

const (
	// giveBackAfter delays a request that is given back, so that one that no member
	// accepts does not circulate without pause.
	giveBackAfter = 5 * time.Millisecond
	// singleAfter is how long a delivery that was dealt with waits for those before
	// it in a flood, so that one acknowledgement covers all. RabbitMQ finds a single
	// delivery by going through all before it that are not acknowledged: with
	// thousands of them it does little else.
	singleAfter = 50 * time.Millisecond
	// fewOpen are so few that the broker finds each at once.
	fewOpen = mostInHand
)

// hold tracks the unacknowledged deliveries of one channel. The broker redelivers
// them to another member when the channel is closed.
//
// Delivery tags count from 1. One acknowledgement can cover all deliveries up to a
// tag, so hold tracks which are open: answers given nearly in order need one
// acknowledgement per batch.
type hold struct {
	session *session
	channel *amqp.Channel
	answers *answers
	wake    mailbox.Signal // has a token while there is something to acknowledge or give back
	ending  chan struct{}  // closed by end
	ended   chan struct{}  // closed after the last acknowledgement
	busy    mailbox.Signal // wakes adjustWindow: raised after a delivery was received

	mu       sync.Mutex
	meter    meter
	over     bool
	received uint64 // the highest tag received
	oldest   *held  // list of open deliveries, by tag
	newest   *held
	settled  []*held // not acknowledged yet, by the time at which they were settled
	looked   uint64  // the limit when settled was last looked through
	returned []*held // by due time
}

// held is a delivery that the broker holds.
type held struct {
	hold         *hold
	tag          uint64
	older, newer *held
	due          time.Time // when it is given back, or acknowledged alone
	again        bool      // it is redelivered
}

func newHold(s *session, ch *amqp.Channel, a *answers) *hold {
	return &hold{
		session: s, channel: ch, answers: a,
		wake: mailbox.NewSignal(), ending: make(chan struct{}), ended: make(chan struct{}),
		busy: mailbox.NewSignal(), meter: newMeter(),
	}
}

// receive adds a delivery with a body of that length. Tags must be in order.
func (h *hold) receive(tag uint64, bytes int) *held {
	k := &held{hold: h, tag: tag}
	h.mu.Lock()
	h.received = tag
	h.link(k)
	h.meter.receive(bytes)
	h.mu.Unlock()
	h.busy.Raise()
	return k
}

// setLimit sets how many deliveries may be open at a time.
func (h *hold) setLimit(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.meter.limit = n
}

// read returns the measurements since the previous read.
func (h *hold) read() reading {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.meter.read()
}

func (h *hold) link(k *held) {
	k.older, h.newest = h.newest, k
	if k.older == nil {
		h.oldest = k
	} else {
		k.older.newer = k
	}
}

func (h *hold) unlink(k *held) {
	if k.older == nil {
		h.oldest = k.newer
	} else {
		k.older.newer = k.newer
	}
	if k.newer == nil {
		h.newest = k.older
	} else {
		k.newer.older = k.older
	}
}

// isHeld reports whether the broker still waits for the acknowledgement. If not,
// it has redelivered the request to another member.
func (k *held) isHeld() bool {
	k.hold.mu.Lock()
	over := k.hold.over
	k.hold.mu.Unlock()
	return !over && !k.hold.session.isOver()
}

// settle acknowledges the delivery if done, or else returns it to the queue. It is
// called once.
func (k *held) settle(done bool) {
	h := k.hold
	h.mu.Lock()
	if done {
		k.due = time.Now().Add(singleAfter)
		h.unlink(k)
		h.settled = append(h.settled, k)
	} else {
		k.due = time.Now().Add(giveBackAfter)
		h.returned = append(h.returned, k)
	}
	h.mu.Unlock()
	h.wake.Raise()
}

// run sends acknowledgements, until end is called or the session ends.
func (h *hold) run() {
	defer close(h.ended)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-h.wake:
			// Let goroutines that are about to settle join the batch, as in
			// asyncconn.Conn.
			runtime.Gosched()
		case <-pause.C:
		case <-h.ending:
			h.acknowledge(time.Now().Add(singleAfter))
			return
		case <-h.session.over:
			return
		}
		now := time.Now()
		if next := soonest(h.acknowledge(now), h.giveBack(now)); !next.IsZero() {
			pause.Reset(time.Until(next))
		}
	}
}

// soonest returns the earlier of two times, of which either may be zero.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// acknowledge acknowledges settled deliveries: all before which none is open, and
// alone those that waited long enough, or any where few are open. It returns when
// the next one will have waited long enough, zero if none waits. Errors mean that
// the channel is closed, and that the broker has requeued everything.
func (h *hold) acknowledge(now time.Time) (next time.Time) {
	upTo, singles, next := h.takeSettled(now)
	for _, tag := range singles {
		_ = h.channel.Ack(tag, false)
	}
	if upTo > 0 {
		_ = h.channel.Ack(upTo, true)
	}
	return next
}

// takeSettled takes out what can be acknowledged: all up to a tag, 0 for none, and
// single ones.
func (h *hold) takeSettled(now time.Time) (upTo uint64, singles []uint64, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.settled) == 0 {
		return 0, nil, next
	}
	limit, few := h.limit(), h.meter.open <= fewOpen
	if limit == h.looked && !few && h.settled[0].due.After(now) {
		return 0, nil, h.settled[0].due // nothing has changed that could help
	}
	h.looked = limit
	rest := h.settled[:0]
	for _, k := range h.settled {
		switch {
		case k.tag <= limit:
			upTo = max(upTo, k.tag)
		case few, !k.due.After(now):
			singles = append(singles, k.tag)
		default:
			rest = append(rest, k)
		}
	}
	h.meter.settle(len(h.settled) - len(rest))
	clear(h.settled[len(rest):])
	h.settled = rest
	if len(rest) > 0 {
		next = rest[0].due
	}
	return upTo, singles, next
}

// limit is the tag up to which everything was received and nothing is open.
func (h *hold) limit() uint64 {
	if h.oldest != nil {
		return min(h.received, h.oldest.tag-1)
	}
	return h.received
}

// giveBack returns due deliveries to the queue. Its result is when the next one is
// due, zero if there is none.
func (h *hold) giveBack(now time.Time) (next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.returned) > 0 {
		k := h.returned[0]
		if k.due.After(now) {
			return k.due
		}
		h.returned = h.returned[1:]
		h.unlink(k)
		h.meter.settle(1)
		_ = h.channel.Nack(k.tag, false, true)
	}
	return next
}

// end acknowledges the settled deliveries. Open ones go to another member when the
// channel is closed.
func (h *hold) end() {
	h.mu.Lock()
	first := !h.over
	h.over = true
	h.mu.Unlock()
	if first {
		close(h.ending)
	}
	<-h.ended
}

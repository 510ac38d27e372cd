package amqpbus

import (
	"runtime"
	"sync"
	"time"
)

// giveBackAfter delays a request that is given back, so that one that no member
// accepts does not circulate without pause.
const giveBackAfter = 5 * time.Millisecond

// hold tracks the unacknowledged deliveries of one channel. The broker redelivers
// them to another member when the channel is closed.
//
// Delivery tags count from 1. One acknowledgement can cover all deliveries up to a
// tag, so hold tracks which are open: answers given in order need one
// acknowledgement per batch.
type hold struct {
	session *session
	channel *asyncChannel
	wake    chan struct{} // has a token while there is something to acknowledge or give back
	ending  chan struct{} // closed by end
	ended   chan struct{} // closed after the last acknowledgement
	busy    chan struct{} // has a token after a delivery was received

	mu       sync.Mutex
	meter    meter
	over     bool
	received uint64 // the highest tag received
	oldest   *held  // list of open deliveries, by tag
	newest   *held
	settled  []*held
	spare    []*held
	returned []*held // by due time
}

// held is a delivery that the broker holds.
type held struct {
	hold         *hold
	tag          uint64
	older, newer *held
	due          time.Time // when it is given back
	again        bool      // it is redelivered
}

func newHold(s *session, l *asyncChannel) *hold {
	return &hold{
		session: s, channel: l,
		wake: make(chan struct{}, 1), ending: make(chan struct{}), ended: make(chan struct{}),
		busy: make(chan struct{}, 1), meter: newMeter(),
	}
}

// receive adds a delivery. Tags must be in order.
func (h *hold) receive(tag uint64) *held {
	k := &held{hold: h, tag: tag}
	h.mu.Lock()
	h.received = tag
	h.link(k)
	h.meter.add(1)
	h.mu.Unlock()
	h.stir()
	return k
}

// stir wakes adjustWindow.
func (h *hold) stir() {
	select {
	case h.busy <- struct{}{}:
	default:
	}
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

// publish sends an answer on the channel of the request. The broker processes a
// channel in order, so that it never takes the acknowledgement and then loses the
// answer when the connection breaks.
func (h *hold) publish(m message) error { return h.channel.publish(m) }

// settle acknowledges the delivery if done, or else returns it to the queue. It is
// called once.
func (k *held) settle(done bool) {
	h := k.hold
	h.mu.Lock()
	if done {
		h.settled = append(h.settled, k)
	} else {
		k.due = time.Now().Add(giveBackAfter)
		h.returned = append(h.returned, k)
	}
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
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
			// coalescer.next.
			runtime.Gosched()
		case <-pause.C:
		case <-h.ending:
			h.acknowledge()
			return
		case <-h.session.over:
			return
		}
		h.acknowledge()
		if wait := h.giveBack(); wait > 0 {
			pause.Reset(wait)
		}
	}
}

// acknowledge acknowledges the settled deliveries.
func (h *hold) acknowledge() {
	all, limit := h.takeSettled()
	var upTo uint64
	for _, k := range all {
		if k.tag <= limit {
			upTo = max(upTo, k.tag)
		} else {
			h.channel.acknowledge(k.tag, false)
		}
	}
	if upTo > 0 {
		h.channel.acknowledge(upTo, true)
	}
}

// takeSettled also returns the tag up to which all deliveries are settled.
func (h *hold) takeSettled() (all []*held, limit uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all = h.settled
	clear(h.spare)
	h.settled, h.spare = h.spare[:0], all
	for _, k := range all {
		h.unlink(k)
	}
	h.meter.settle(len(all))
	limit = h.received
	if h.oldest != nil {
		limit = min(limit, h.oldest.tag-1)
	}
	return all, limit
}

// giveBack returns due deliveries to the queue. Its result is the time until the
// next one is due, 0 if there is none.
func (h *hold) giveBack() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.returned) > 0 {
		k := h.returned[0]
		if wait := time.Until(k.due); wait > 0 {
			return wait
		}
		h.returned = h.returned[1:]
		h.unlink(k)
		h.meter.settle(1)
		h.channel.giveBack(k.tag)
	}
	return 0
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

package amqpbus

import (
	"runtime"
	"sync"
	"time"
)

// giveBackAfter is how long a request that is given back is kept first, so that
// one that nobody wants does not spin between the members.
const giveBackAfter = 5 * time.Millisecond

// hold is the broker's hold on what it has delivered on one channel: it waits
// to hear of each delivery, by its tag, that it was dealt with, and hands all
// others to somebody else when the channel is closed.
//
// Tags count from 1. One word to the broker can deal with all up to a tag, so
// hold knows which are open: answers given in order cost the broker one such
// word a batch.
type hold struct {
	session *session
	line    *line
	wake    chan struct{} // has a token while the broker is to be told something
	ending  chan struct{} // closed by end
	ended   chan struct{} // closed when the broker was told the last
	busy    chan struct{} // has a token after a delivery was received

	mu       sync.Mutex
	meter    meter
	over     bool
	received uint64 // all up to this tag were
	oldest   *held  // open, by their tags
	newest   *held
	settled  []*held
	spare    []*held
	returned []*held // in the order in which they are due
}

// held is a delivery that the broker holds.
type held struct {
	hold         *hold
	tag          uint64
	older, newer *held
	due          time.Time // when it goes back
	again        bool      // it was delivered before
}

func newHold(s *session, l *line) *hold {
	return &hold{
		session: s, line: l,
		wake: make(chan struct{}, 1), ending: make(chan struct{}), ended: make(chan struct{}),
		busy: make(chan struct{}, 1), meter: newMeter(),
	}
}

// receive takes a delivery in. They come in the order of their tags.
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

// stir asks for another look at the meter.
func (h *hold) stir() {
	select {
	case h.busy <- struct{}{}:
	default:
	}
}

// setLimit tells how many may be open at a time.
func (h *hold) setLimit(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.meter.limit = n
}

// read returns what happened since it was called last.
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

// isHeld reports whether the broker waits to hear of the delivery. If not it
// has given it to somebody else.
func (k *held) isHeld() bool {
	k.hold.mu.Lock()
	over := k.hold.over
	k.hold.mu.Unlock()
	return !over && !k.hold.session.isOver()
}

// publish sends an answer on the channel of the request. The broker works off a
// channel in order, so that it never forgets the request and then, as the
// connection breaks, the answer.
func (h *hold) publish(m message) error { return h.line.publish(m) }

// settle has the broker told that the delivery was dealt with, or that somebody
// else must. It is called once.
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

// run tells the broker, until end or the end of the session.
func (h *hold) run() {
	defer close(h.ended)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-h.wake:
			// Whoever is about to settle gets a turn, as in coalescer.next.
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

// acknowledge tells what was dealt with.
func (h *hold) acknowledge() {
	all, limit := h.takeSettled()
	var upTo uint64
	for _, k := range all {
		if k.tag <= limit {
			upTo = max(upTo, k.tag)
		} else {
			h.line.acknowledge(k.tag, false)
		}
	}
	if upTo > 0 {
		h.line.acknowledge(upTo, true)
	}
}

// takeSettled also returns the tag up to which nothing is open.
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

// giveBack gives back what is due, and returns how long the next has to wait,
// 0 if there is none.
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
		h.line.giveBack(k.tag)
	}
	return 0
}

// end has the broker told what was dealt with. What is open then goes to
// somebody else when the channel is closed.
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

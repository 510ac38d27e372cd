package amqpbus

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// calls are the calls in flight, by number. Numbers count from 0 and are used
// once in the life of a Conn, so that a late answer matches no call.
type calls struct {
	mu      sync.Mutex
	next    uint64
	waiting map[uint64]*call
	closed  bool
}

// call is a call in flight.
type call struct {
	id   uint64
	done chan answer // has room for the one that ends it

	mu       sync.Mutex // held while onStatus runs
	onStatus func(json.RawMessage)
}

// answer is how a call ended.
type answer struct {
	data  json.RawMessage
	err   error
	stale time.Duration
	term  uint64
}

func (c *calls) begin(onStatus func(json.RawMessage)) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, bus.ErrClosed
	}
	k := &call{id: c.next, done: make(chan answer, 1), onStatus: onStatus}
	c.next++
	if c.waiting == nil {
		c.waiting = map[uint64]*call{}
	}
	c.waiting[k.id] = k
	return k, nil
}

// take removes and returns the call of that number, nil if it is no longer in
// flight.
func (c *calls) take(id uint64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.waiting[id]
	delete(c.waiting, id)
	return k
}

func (c *calls) find(id uint64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting[id]
}

// end removes the call of a caller that stops waiting. After it returns, onStatus
// is neither running nor called.
func (c *calls) end(k *call) {
	c.take(k.id)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.onStatus = nil
}

// failAll fails all calls in flight.
func (c *calls) failAll(err error) {
	c.mu.Lock()
	all := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, k := range all {
		k.done <- answer{err: err}
	}
}

// close fails all calls in flight and rejects new ones.
func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.failAll(bus.ErrClosed)
}

// answered handles a message from the reply queue. Malformed answers, and those
// that match no call, are ignored.
func (c *calls) answered(d amqp.Delivery) {
	r, err := bus.ParseReply(d.Body)
	id, ok := number(r.CorrID)
	if err != nil || !ok {
		return
	}
	if r.Data == nil {
		// OWT's programs omit undefined members.
		r.Data = json.RawMessage("null")
	}
	if r.Status {
		if k := c.find(id); k != nil {
			k.status(r.Data)
		}
		return
	}
	if k := c.take(id); k != nil {
		a := answer{err: r.Refusal(), stale: r.Stale, term: r.Term}
		if !r.Failed {
			a.data = r.Data
		}
		k.done <- a
	}
}

// number reads the number of a call.
func number(corrID json.RawMessage) (uint64, bool) {
	id, err := strconv.ParseUint(string(corrID), 10, 64)
	return id, err == nil
}

func (k *call) status(data json.RawMessage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.onStatus != nil {
		k.onStatus(data)
	}
}

// unroutable fails a call that the broker returned because it has no such queue.
func (c *calls) unroutable(r amqp.Return) {
	request, err := bus.ParseCall(r.Body)
	id, ok := number(request.CorrID)
	if err != nil || !ok {
		return
	}
	if k := c.take(id); k != nil {
		k.done <- answer{err: bus.ErrNoServer}
	}
}

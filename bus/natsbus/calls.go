package natsbus

import (
	"encoding/json"
	"strconv"
	"sync"

	"github.com/muster-fleet/muster/bus"
)

// call is one that waits for its answer.
type call struct {
	slot   uint32
	reply  string // the subject of the slot
	number uint64 // the corrID
	socket uint64 // over which it leaves
	done   chan result

	// told guards ended: once the call has returned, onStatus is not called.
	told     sync.Mutex
	ended    bool
	onStatus func(json.RawMessage)
}

// result is how a call ended. Exactly one is sent for each call.
type result struct {
	reply bus.Reply
	err   error
}

// calls are those in flight, by slot.
type calls struct {
	prefix string

	mu      sync.Mutex
	flying  map[uint32]*call
	free    []slot
	slots   uint32
	numbers uint64
	err     error // no more calls
}

type slot struct {
	id    uint32
	reply string
}

func newCalls(prefix string) *calls {
	return &calls{prefix: prefix, flying: map[uint32]*call{}}
}

// begin enters a call, which leaves by way of take, giveUp or fail.
func (c *calls) begin(socket uint64, onStatus func(json.RawMessage)) (*call, error) {
	one := &call{done: make(chan result, 1), socket: socket, onStatus: onStatus}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	s := c.takeSlot()
	c.numbers++
	one.slot, one.reply, one.number = s.id, s.reply, c.numbers
	c.flying[s.id] = one
	return one, nil
}

func (c *calls) takeSlot() slot {
	if n := len(c.free); n > 0 {
		s := c.free[n-1]
		c.free = c.free[:n-1]
		return s
	}
	c.slots++
	return slot{c.slots, c.prefix + strconv.FormatUint(uint64(c.slots), 36)}
}

// find is the call of a slot, still in flight.
func (c *calls) find(id uint32) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flying[id]
}

// finish ends a call with its answer and frees its slot. False means that
// somebody else has ended it.
func (c *calls) finish(one *call, r result) bool {
	c.mu.Lock()
	if c.flying[one.slot] != one {
		c.mu.Unlock()
		return false
	}
	delete(c.flying, one.slot)
	c.free = append(c.free, slot{one.slot, one.reply})
	c.mu.Unlock()
	one.done <- r
	return true
}

// giveUp ends a call without an answer. False means that its result is there.
func (c *calls) giveUp(one *call) bool {
	c.mu.Lock()
	mine := c.flying[one.slot] == one
	if mine {
		delete(c.flying, one.slot)
	}
	c.mu.Unlock()
	if mine {
		one.silence()
	}
	return mine
}

// fail ends the calls that left over that socket or an earlier one.
func (c *calls) fail(socket uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, one := range c.flying {
		if one.socket <= socket {
			delete(c.flying, id)
			one.done <- result{err: err}
		}
	}
}

// close ends all calls, those to come included.
func (c *calls) close(err error) {
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	c.fail(^uint64(0), err)
}

// status passes a status on, unless the call has returned.
func (o *call) status(data json.RawMessage) {
	if o.onStatus == nil {
		return
	}
	o.told.Lock()
	defer o.told.Unlock()
	if !o.ended {
		o.onStatus(data)
	}
}

// silence waits for a status that is being told, and lets no more come.
func (o *call) silence() {
	if o.onStatus == nil {
		return
	}
	o.told.Lock()
	defer o.told.Unlock()
	o.ended = true
}

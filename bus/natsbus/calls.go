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
	server string // subject to which it goes
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

// idle are calls for use again. A call with onStatus is not, since the
// goroutine of the inbox may still look at it.
var idle = sync.Pool{New: func() any { return &call{done: make(chan result, 1)} }}

// begin enters a call, which leaves by way of finish, giveUp or fail.
func (c *calls) begin(socket uint64, server string, onStatus func(json.RawMessage)) (*call, error) {
	one := idle.Get().(*call)
	one.socket, one.server, one.onStatus = socket, server, onStatus
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

// release is for who began the call, when it has its result.
func (o *call) release() {
	if o.onStatus == nil {
		idle.Put(o)
	}
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

// find is the call of a slot if it is still in flight, has that number, and
// wants to hear each status.
func (c *calls) find(id uint32, number uint64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.flying[id]; one != nil && one.number == number && one.onStatus != nil {
		return one
	}
	return nil
}

// anyNumber is for answers that do not say to which call they belong.
const anyNumber = 0

// finish ends the call of a slot, if it is still in flight and has that
// number, and frees the slot.
func (c *calls) finish(id uint32, number uint64, r result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.flying[id]
	if one == nil || (number != anyNumber && one.number != number) {
		return
	}
	delete(c.flying, id)
	c.free = append(c.free, slot{id, one.reply})
	one.done <- r
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

// deny ends the calls to that subject.
func (c *calls) deny(server string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, one := range c.flying {
		if one.server == server {
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

package natsbus

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
)

// call is a call in flight.
type call struct {
	slot   uint32
	reply  string // the subject of the slot
	number uint64 // the corrID
	socket uint64 // over which it leaves
	server string // subject to which it goes
	done   chan result
	timer  *time.Timer // see overdue

	// statusMu guards ended: onStatus is not called after the call has returned.
	statusMu sync.Mutex
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

	mu       sync.Mutex
	inFlight map[uint32]*call
	free     []slot
	slots    uint32
	numbers  uint64
	err      error // no more calls
}

type slot struct {
	id    uint32
	reply string
}

func newCalls(prefix string) *calls {
	return &calls{prefix: prefix, inFlight: map[uint32]*call{}}
}

// callPool holds calls to reuse. A call with onStatus is not reused, since the
// goroutine of the inbox may still access it.
var callPool = sync.Pool{New: func() any { return &call{done: make(chan result, 1)} }}

// begin registers a call. finish, abandon or fail removes it.
func (c *calls) begin(socket uint64, server string, onStatus func(json.RawMessage)) (*call, error) {
	one := callPool.Get().(*call)
	one.socket, one.server, one.onStatus = socket, server, onStatus
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	s := c.takeSlot()
	c.numbers++
	one.slot, one.reply, one.number = s.id, s.reply, c.numbers
	c.inFlight[s.id] = one
	return one, nil
}

// release returns a call to the pool, after its result was received.
func (o *call) release() {
	if o.onStatus == nil {
		callPool.Put(o)
	}
}

// overdue returns a channel that receives at that time, nil if that is zero. A
// call keeps its timer for the next one: a context for each would cost a tenth
// of a call.
func (o *call) overdue(at time.Time) <-chan time.Time {
	switch {
	case at.IsZero():
		return nil
	case o.timer == nil:
		o.timer = time.NewTimer(time.Until(at))
	default:
		o.timer.Reset(time.Until(at))
	}
	return o.timer.C
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

// find returns the call of a slot if it is in flight, has that number and an
// onStatus.
func (c *calls) find(id uint32, number uint64) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.inFlight[id]; one != nil && one.number == number && one.onStatus != nil {
		return one
	}
	return nil
}

// anyNumber is for answers that do not say to which call they belong.
const anyNumber = 0

// finish completes the call of a slot, if it is still in flight and has that
// number, and frees the slot.
func (c *calls) finish(id uint32, number uint64, r result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.inFlight[id]
	if one == nil || (number != anyNumber && one.number != number) {
		return
	}
	delete(c.inFlight, id)
	c.free = append(c.free, slot{id, one.reply})
	one.done <- r
}

// abandon ends a call without an answer. It reports false if the call has its
// result already.
func (c *calls) abandon(one *call) bool {
	c.mu.Lock()
	mine := c.inFlight[one.slot] == one
	if mine {
		delete(c.inFlight, one.slot)
	}
	c.mu.Unlock()
	if mine {
		one.stopStatus()
	}
	return mine
}

// fail ends the calls that left over that socket or an earlier one.
func (c *calls) fail(socket uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, one := range c.inFlight {
		if one.socket <= socket {
			delete(c.inFlight, id)
			one.done <- result{err: err}
		}
	}
}

// deny ends the calls to that subject.
func (c *calls) deny(server string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, one := range c.inFlight {
		if one.server == server {
			delete(c.inFlight, id)
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

// status calls onStatus, unless the call has returned.
func (o *call) status(data json.RawMessage) {
	o.statusMu.Lock()
	defer o.statusMu.Unlock()
	if !o.ended {
		o.onStatus(data)
	}
}

// stopStatus waits for a running onStatus, and prevents further calls of it.
func (o *call) stopStatus() {
	if o.onStatus == nil {
		return
	}
	o.statusMu.Lock()
	defer o.statusMu.Unlock()
	o.ended = true
}

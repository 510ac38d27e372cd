package manager

import (
	"bytes"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// maxMissed is how many workers are remembered of which a report was dropped.
// The reports of others are made good when they are compared.
const maxMissed = 1 << 16

// reports are the methods by which workers tell what they do. A worker tells
// each thing once: where one is dropped, the worker must tell all again.
var reports = map[string]bool{"reportState": true, "pickUpTasks": true, "layDownTask": true}

// detachArgs lets go of the body of a large request where its arguments are small: a
// request keeps its arguments until it is decided, and the state may keep one
// for longer.
func detachArgs(req *bus.Request) {
	if req.Size <= signBytes {
		return
	}
	for i, arg := range req.Args {
		if 2*len(arg) < req.Size {
			req.Args[i] = bytes.Clone(arg)
		}
	}
}

// reject ends a request for which there is no room. A call is refused, and
// its caller asks again. A cast is dropped.
func (c *core) reject(req *bus.Request) {
	c.measures.overload(req.Wanted())
	if req.Wanted() {
		req.Refuse(muster.ReasonOverloaded)
		return
	}
	if reports[req.Method] && len(req.Args) > 0 {
		c.inbox.miss(text(req.Args[0]))
	}
	req.Done()
}

// miss remembers a worker of which a report was dropped.
func (b *inbox) miss(worker string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.missed) < maxMissed {
		if b.missed == nil {
			b.missed = map[string]bool{}
		}
		b.missed[worker] = true
	}
}

// noteMissed makes the workers rejoin of which a report was dropped.
func (c *core) noteMissed() {
	c.inbox.mu.Lock()
	missed := c.inbox.missed
	c.inbox.missed = nil
	c.inbox.mu.Unlock()
	for worker := range missed {
		if c.replica.State().Has(worker) {
			c.rejoining[worker] = true
		}
	}
}

package manager

import (
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

// handle takes a request from the bus, on any goroutine.
func (c *core) handle(req *bus.Request) {
	c.contain(req, "decode", func() { c.read(req) })
}

func (c *core) read(req *bus.Request) {
	if c.probe.takes(req) {
		return
	}
	detachArgs(req)
	err := permit(req)
	var act action
	if err == nil {
		act, err = decode(req.Method, req.Args)
	}
	if err != nil {
		c.measures.refused.Inc()
		c.log.Debug("request refused", "method", req.Method, "err", err)
		req.Refuse(err)
		return
	}
	if left, ok := c.inbox.put(item{act: act, req: req, traced: c.trace(req)}); !ok {
		c.reject(left.req)
	}
}

// doAll carries out requests, as one batch.
func (c *core) doAll(batch []item) {
	for _, it := range batch {
		c.do(it)
	}
	c.flush()
}

// do carries a request out if this manager leads, or serves stale reads and the
// request is a look-up. Others wait while no manager leads, since this one may
// lead next.
func (c *core) do(it item) {
	switch {
	case c.leads(), c.answersStale(it):
		c.carryOut(it)
	case c.staleReads.on && isSoonRepeated(it):
		it.req.Done()
	case c.role.Kind == replica.Candidate && !c.ledElsewhere() && c.parked.park(it, c.at.Passed):
		if c.staleReads.on {
			c.parked.trim(staleReadsRoom)
		}
	default:
		c.giveBack(it.req)
	}
}

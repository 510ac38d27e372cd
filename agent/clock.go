package agent

import (
	"fmt"
	"slices"
	"time"
)

// advance lets happen what was due until now.
func (p *pool) advance(now time.Time) {
	p.now = now
	p.expireLease()
	late := func(r *request) bool { return !now.Before(r.until) }
	for _, n := range slices.Clone(p.nodes) {
		p.expire(n, late)
		switch {
		case n.phase == starting && !now.Before(p.readyBy(n)):
			err := fmt.Errorf("not ready within %v", p.readyBy(n).Sub(n.launched).Round(time.Millisecond))
			blamed := p.blames(n)
			n.phase = stopping // its tasks end with its process
			p.fail(n, err, blamed)
			p.stop(n, true)
		case n.phase == ready && !n.settled && !now.Before(n.ready.Add(settleAfter)):
			n.settled = true
			p.trouble.over()
		}
	}
	p.turnAway(&p.queue, late, reasonNoNode, "", nil)
	p.dropUnclaimed()
}

// readyBy is when a node has failed that is not ready. A node may ask for more
// time.
func (p *pool) readyBy(n *node) time.Time {
	by := n.launched.Add(p.readyTimeout)
	if more := p.extended(n.id); more.After(by) {
		return more
	}
	return by
}

// next is when tick is wanted at the latest; zero is never.
func (p *pool) next() time.Time {
	var first time.Time
	consider := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	for _, r := range p.queue {
		consider(r.until)
	}
	for _, n := range p.nodes {
		p.deadlines(n, consider)
	}
	for _, f := range p.failed {
		consider(f.until)
	}
	if p.now.Before(p.trouble.retryAt) {
		consider(p.trouble.retryAt)
	}
	if !p.lease.IsZero() {
		consider(p.lease)
	}
	return first
}

func (p *pool) deadlines(n *node, consider func(time.Time)) {
	for _, r := range n.waiting {
		consider(r.until)
	}
	for _, t := range n.tasks {
		if t.ending == nil && !t.claimBy.IsZero() {
			consider(t.claimBy)
		}
	}
	if n.idle() && p.now.Before(n.keptUntil) {
		consider(n.keptUntil)
	}
	switch {
	case n.phase == starting:
		consider(p.readyBy(n))
	case n.phase == ready && !n.settled:
		consider(n.ready.Add(settleAfter))
	}
}

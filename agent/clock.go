package agent

import (
	"fmt"
	"slices"
	"time"
)

// advance lets happen what was due until now.
func (p *pool) advance(now time.Time) {
	p.now = now
	late := func(r *request) bool { return !now.Before(r.until) }
	for _, n := range slices.Clone(p.nodes) {
		p.withdraw(n, late, reasonNodeNotReady)
		switch {
		case n.phase == starting && !now.Before(n.launched.Add(p.readyTimeout)):
			p.lost(n, fmt.Errorf("not ready within %v", p.readyTimeout))
			p.stop(n, true)
		case n.phase == ready && !n.settled && !now.Before(n.ready.Add(settleAfter)):
			n.settled = true
			p.trouble.over()
		}
	}
	p.expireQueue(late)
}

func (p *pool) expireQueue(late func(*request) bool) {
	for _, r := range p.queue {
		if late(r) {
			p.refuse(r, reasonNoNode, "", nil)
		}
	}
	p.queue = slices.DeleteFunc(p.queue, late)
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
		n.deadlines(p.readyTimeout, consider)
	}
	if p.now.Before(p.trouble.retryAt) {
		consider(p.trouble.retryAt)
	}
	return first
}

func (n *node) deadlines(readyTimeout time.Duration, consider func(time.Time)) {
	for _, r := range n.waiting {
		consider(r.until)
	}
	switch {
	case n.phase == starting:
		consider(n.launched.Add(readyTimeout))
	case n.phase == ready && !n.settled:
		consider(n.ready.Add(settleAfter))
	}
}

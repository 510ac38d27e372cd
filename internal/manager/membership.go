package manager

import (
	"context"
	"errors"
	"time"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// Membership changes who the managers of a cluster are. Its methods may be
// called anywhere, may be repeated, and return when the change is complete or
// ctx is done; what was asked for by then is still done.
type Membership interface {
	// Add lets a manager join at an address.
	Add(ctx context.Context, addr string) error
	// Remove takes the manager at an address out. Its error says what would be
	// lost by that; force removes it all the same.
	Remove(ctx context.Context, addr string, force bool) error
}

// changeTime bounds how long a call waits for a change of the managers. The
// answer says how far it is, and the caller asks again.
const changeTime = 300 * time.Millisecond

func decodeAddManager(r *reader) action {
	addr := r.name(0, "address")
	entry := state.Record{By: r.by(1), Action: "add-manager", Target: addr, After: "asked"}
	return func(c *core, req *bus.Request) {
		c.changeManagers(req, entry, func(ctx context.Context, m Membership) error { return m.Add(ctx, addr) })
	}
}

func decodeRemoveManager(r *reader) action {
	addr := r.name(0, "address")
	force := gjson.GetBytes(r.raw(1), "force").Bool()
	entry := state.Record{By: r.by(1), Action: "remove-manager", Target: addr, After: "asked"}
	if force {
		entry.After = "asked, forced"
	}
	return func(c *core, req *bus.Request) {
		c.changeManagers(req, entry, func(ctx context.Context, m Membership) error { return m.Remove(ctx, addr, force) })
	}
}

// by reads who gives an order, from the member "by" of an argument.
func (r *reader) by(i int) muster.Operator {
	by := gjson.GetBytes(r.raw(i), "by")
	o := muster.Operator{Name: by.Get("name").Str, From: by.Get("from").Str}
	r.refused(i, "order", o.Check())
	return o
}

// changeManagers carries a change out on a goroutine of its own, since it takes
// several rounds between the managers, and answers how they stand then. The audit
// gets the entry before that, since the leader may be the one that goes, and another
// one if the change is refused; a call that is repeated adds none.
func (c *core) changeManagers(req *bus.Request, entry state.Record, change func(context.Context, Membership) error) {
	if c.opts.Membership == nil || c.opts.Members == nil {
		req.Fail("this manager is alone, or its replica has no members to change: start managers with --raft")
		return
	}
	c.propose(nil, entry, nil)
	c.runAsync(req, func() {
		ctx, cancel := context.WithTimeout(context.Background(), changeTime)
		defer cancel()
		err := change(ctx, c.opts.Membership)
		switch {
		case err == nil || errors.Is(err, context.DeadlineExceeded):
			c.answerMembers(req)
		case errors.As(err, new(replica.NotLeaderError)) || errors.Is(err, replica.ErrLost):
			c.giveBack(req)
		default:
			entry.After = "refused: " + err.Error()
			c.record(entry)
			req.Refuse(err)
		}
	})
}

// record adds an entry to the audit, from any goroutine.
func (c *core) record(entry state.Record) {
	c.out.enter(func(c *core) {
		if c.leads() {
			c.propose(nil, entry, nil)
		}
	})
}

func (c *core) answerMembers(req *bus.Request) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTime)
	defer cancel()
	members, err := c.opts.Members(ctx)
	if err != nil {
		req.Fail("managers: " + err.Error())
		return
	}
	req.Reply(orEmpty(members))
}

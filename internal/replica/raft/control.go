package raft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-fleet/muster/internal/replica"
)

// ErrClosed is what a Replica answers that has ended.
var ErrClosed = errors.New("raft: this manager's replica has ended")

// ask runs f where the Core is, and waits for its answer.
func ask[T any](ctx context.Context, n *Replica, f func(*Core) T) (T, error) {
	var none T
	answer := make(chan T, 1)
	select {
	case n.orders <- func(c *Core) { answer <- f(c) }:
	case <-n.over:
		return none, ErrClosed
	case <-ctx.Done():
		return none, ctx.Err()
	}
	select {
	case t := <-answer:
		return t, nil
	case <-n.over:
		return none, ErrClosed
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Status returns how this manager stands among the others.
func (n *Replica) Status(ctx context.Context) (Status, error) {
	return ask(ctx, n, (*Core).Status)
}

// Await waits until the manager stands as f wants it. f is asked again
// whenever a role or the members have changed.
func (n *Replica) Await(ctx context.Context, f func(Status) bool) (Status, error) {
	for {
		changed := n.watch()
		s, err := n.Status(ctx)
		if err != nil || f(s) {
			return s, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, fmt.Errorf("raft: waiting for another role or member: %w", ctx.Err())
		}
	}
}

// watch returns a channel that is closed at the next change.
func (n *Replica) watch() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

func (n *Replica) notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.changed)
	n.changed = make(chan struct{})
}

// Transfer hands the lead to another manager, before this one is closed. It
// returns when another one leads, at once where this one does not. While it
// runs, proposals are refused.
func (n *Replica) Transfer(ctx context.Context) error {
	for try := 1; ; try++ {
		changed := n.watch()
		asked, err := ask(ctx, n, (*Core).Transfer)
		if err != nil {
			return err
		}
		s, err := n.Status(ctx)
		if err != nil {
			return err
		}
		if s.Role != replica.Leader.String() {
			_, err = n.Await(ctx, func(s Status) bool { return s.Leader != "" })
			return err
		}
		switch {
		case asked:
			err = n.awaitTransfer(ctx, changed)
		case try < transferTries && len(s.Members) > 1:
			pause(ctx, 2*time.Duration(n.opts.HeartbeatTicks)*n.opts.Tick)
		default:
			err = errors.New("raft: there is no other manager to hand the lead to")
		}
		if err != nil {
			return err
		}
	}
}

// transferTries is how often somebody to hand the lead to is looked for. The
// library forgets at each look for a quorum whom it heard, until their next
// heartbeats are answered.
const transferTries = 4

// awaitTransfer waits for a change, or until the library has given up.
func (n *Replica) awaitTransfer(ctx context.Context, changed <-chan struct{}) error {
	wait, cancel := context.WithTimeout(ctx, 2*time.Duration(n.opts.ElectionTicks)*n.opts.Tick)
	defer cancel()
	select {
	case <-changed:
	case <-wait.Done():
	}
	return ctx.Err()
}

// Add lets a manager join at an address, and waits until it votes. It is asked
// of the leader; others answer with a replica.NotLeaderError.
func (n *Replica) Add(ctx context.Context, addr string) error {
	if err := validateAddr(addr); err != nil {
		return err
	}
	return n.changeMembers(ctx, func(c *Core) error { return c.Admit(addr) }, func(s Status) bool {
		return slices.ContainsFunc(s.Members, func(m Member) bool { return m.Addr == addr && m.Voter })
	})
}

// Remove takes the manager at an address out, and waits until it is. It is
// asked of the leader. A leader that removes itself hands over first; the next
// one completes the removal.
func (n *Replica) Remove(ctx context.Context, addr string) error {
	return n.changeMembers(ctx, func(c *Core) error { return c.Dismiss(addr) }, func(s Status) bool {
		return !slices.ContainsFunc(s.Members, func(m Member) bool { return m.Addr == addr })
	})
}

func (n *Replica) changeMembers(ctx context.Context, change func(*Core) error, until func(Status) bool) error {
	refused, err := ask(ctx, n, change)
	if err == nil {
		err = refused
	}
	if err == nil {
		_, err = n.Await(ctx, until)
	}
	return err
}

// keepLinks has a link to every manager that is known, and to no other.
func (n *Replica) keepLinks(ctx context.Context) {
	if n.listener == nil {
		return
	}
	known := n.core.others()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, addr := range known {
		if n.links[addr] == nil {
			n.addLink(ctx, addr)
		}
	}
	for addr, l := range n.links {
		if !slices.Contains(known, addr) {
			l.stop()
			delete(n.links, addr)
		}
	}
}

func (n *Replica) addLink(ctx context.Context, addr string) {
	l := newLink(addr, n.dialer, n.log)
	l.gone = func() { n.tell(ctx, func(c *Core) { c.PeerGone(addr) }) }
	l.lost = func() { n.tell(ctx, func(c *Core) { c.Unreachable(addr) }) }
	n.links[addr] = l
	ctx, l.stop = context.WithCancel(ctx)
	n.done.Go(func() { l.run(ctx) })
}

func (n *Replica) link(addr string) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links[addr]
}

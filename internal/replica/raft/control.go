package raft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/replica"
)

// ErrClosed is returned by a Replica that has ended.
var ErrClosed = errors.New("raft: this manager's replica has ended")

// ask runs f in the loop and returns its result.
func ask[T any](ctx context.Context, n *Replica, f func(*Core) T) (T, error) {
	var none T
	answer := make(chan T, 1)
	select {
	case n.calls <- func(c *Core) { answer <- f(c) }:
	case <-n.ended:
		return none, ErrClosed
	case <-ctx.Done():
		return none, ctx.Err()
	}
	select {
	case t := <-answer:
		return t, nil
	case <-n.ended:
		return none, ErrClosed
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Status returns the state of this manager's replica.
func (n *Replica) Status(ctx context.Context) (Status, error) {
	return ask(ctx, n, (*Core).Status)
}

// Await waits until f accepts the Status, and returns it. f is called again
// whenever the role or the members have changed.
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

// Transfer passes the leadership to another manager, as before Close. It returns
// when another manager leads, at once if this one does not. Meanwhile proposals
// are refused.
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
		case try < activeTries && len(s.Members) > 1:
			pause.For(ctx, n.opts.betweenTries())
		default:
			err = errors.New("raft: no other manager can take over the leadership")
		}
		if err != nil {
			return err
		}
	}
}

// activeTries is how often a leader looks for active members before there are too
// few. One that was just elected has heard from none yet.
const activeTries = 4

// betweenTries is the time in which active members answer a heartbeat.
func (o Options) betweenTries() time.Duration {
	return 2 * time.Duration(o.HeartbeatTicks) * o.Tick
}

// awaitTransfer waits for a change, or until the library aborts the transfer.
func (n *Replica) awaitTransfer(ctx context.Context, changed <-chan struct{}) error {
	wait, cancel := context.WithTimeout(ctx, 2*time.Duration(n.opts.ElectionTicks)*n.opts.Tick)
	defer cancel()
	select {
	case <-changed:
	case <-wait.Done():
	}
	return ctx.Err()
}

// Add admits a manager at an address, and waits until it is a voter. On a manager
// that does not lead it returns a replica.NotLeaderError.
func (n *Replica) Add(ctx context.Context, addr string) error {
	if err := validateAddr(addr); err != nil {
		return err
	}
	return n.changeMembers(ctx, func(c *Core) error { return c.Admit(addr) }, func(s Status) bool {
		return slices.ContainsFunc(s.Members, func(m Member) bool { return m.Addr == addr && m.Voter })
	})
}

// Remove removes the manager at an address, and waits until that is done. On a
// manager that does not lead it returns a replica.NotLeaderError. A leader that
// removes itself transfers the leadership first, and the next leader completes
// the removal.
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

// keepLinks starts and stops links, so that there is one to each known manager.
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
	l.gone = func() { n.enqueue(ctx, func(c *Core) { c.PeerGone(addr) }) }
	l.lost = func() { n.enqueue(ctx, func(c *Core) { c.Unreachable(addr) }) }
	n.links[addr] = l
	ctx, l.stop = context.WithCancel(ctx)
	n.done.Go(func() { l.run(ctx) })
}

func (n *Replica) link(addr string) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links[addr]
}

package manager

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// refusing is a replica that leads, and can carry no command out.
type refusing struct {
	*scriptedReplica
	why error
}

func (r refusing) Propose(batch ...replica.Proposal) {
	for _, one := range batch {
		one.Done(state.Result{}, nil, r.why)
	}
}

// startRefusing starts a manager on such a replica, which gives a request back
// at most that often.
func startRefusing(t *testing.T, conn bus.Conn, why error, most int) *Manager {
	t.Helper()
	opts := DefaultOptions()
	opts.InitialTime = 0
	opts.Replica = refusing{newScripted(replica.Leader, 1), why}
	ctx, cancel := context.WithTimeout(t.Context(), healthy)
	defer cancel()
	m, err := Start(ctx, conn, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if err := m.callOwner(ctx, func(c *core) { c.returns.most = most }); err != nil {
		t.Fatal(err)
	}
	return m
}

// callUntilServed calls until the queue knows the server.
func callUntilServed(t *testing.T, conn bus.Conn, method string, args ...any) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), healthy)
	defer cancel()
	for {
		_, err := conn.Call(ctx, "owt-cluster", method, args...)
		if !errors.Is(err, bus.ErrNoServer) {
			return err
		}
	}
}

// A command that can never go into the log has a final answer, on both queues.
func TestWhatCannotBeProposedIsRefusedForGood(t *testing.T) {
	for name, queue := range queues {
		t.Run(name, func(t *testing.T) {
			dial := queue(t)
			startRefusing(t, dial(), errors.New("a command of 9 bytes: at most 8 fit into the log"), 0)
			err := callUntilServed(t, dial(), "quit", "w")
			var refused *bus.RemoteError
			if !errors.As(err, &refused) || !strings.Contains(refused.Reason, "at most 8 fit") {
				t.Errorf("the answer is %v, want the bound", err)
			}
		})
	}
}

// A request that no manager can deal with does not go round for ever.
func TestRequestThatComesBackIsDropped(t *testing.T) {
	dial := queues["rabbitmq"](t)
	m := startRefusing(t, dial(), replica.NotLeaderError{}, 5)
	client := dial()
	err := callUntilServed(t, client, "quit", "w")
	var refused *bus.RemoteError
	if !errors.As(err, &refused) || !strings.Contains(refused.Reason, "given back to the queue 5 times") {
		t.Errorf("the answer is %v, want that it is dropped", err)
	}
	if err := client.Cast(t.Context(), "owt-cluster", "quit", "w-2"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(healthy); valueOf(t, m.core.measures.dropped) < 2; {
		if time.Now().After(end) {
			t.Fatal("the cast goes round for ever")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestReturnsAreCountedByRequest(t *testing.T) {
	held := func(id, from string, again bool) *bus.Request {
		r := bus.NewHeldRequest(bus.Call{Method: "quit", CorrID: []byte(id)}, nil, func(bool) {})
		r.From, r.Again = from, again
		return r
	}
	r := returns{most: 2}
	for _, step := range []struct {
		req  *bus.Request
		want bool
	}{
		{held("1", "a", false), true}, {held("1", "a", true), true}, {held("2", "a", true), true}, {held("1", "b", true), true},
		{held("1", "a", false), true}, // another, which has the same number
		{held("1", "a", true), true}, {held("1", "a", true), false},
	} {
		if got := r.allow(step.req); got != step.want {
			t.Errorf("request %s of %s, again %v: %v", step.req.ID, step.req.From, step.req.Again, got)
		}
	}
	for i := range 3 * maxReturned {
		r.allow(held(string(rune(i)), "c", false))
	}
	if n := len(r.recent) + len(r.older); n > 2*maxReturned {
		t.Errorf("%d requests are remembered", n)
	}
}

// A body that is too large is refused with the bound, on a queue that carries it.
func TestBodyOverTheBoundIsRefused(t *testing.T) {
	dial := queues["rabbitmq"](t)
	startRefusing(t, dial(), errors.New("it was proposed"), 0)
	err := callUntilServed(t, dial(), "schedule", "video", "t", strings.Repeat("x", 8*muster.MaxBody))
	if err == nil || !strings.Contains(err.Error(), "must not have more than") {
		t.Errorf("the answer is %.200v", err)
	}
}

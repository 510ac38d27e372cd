package bustest

import (
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var groupCases = []testCase{
	{"LeaderTakesAll", leaderTakesAll},
	{"NewLeaderBeforeOld", newLeaderBeforeOld},
	{"LeaderIsElectedAgain", electedAgain},
	{"MemberCloses", memberCloses},
	{"LeadIsRefused", leadIsRefused},
}

func join(t testing.TB, c bus.Conn, server string, h bus.Handler) bus.GroupMember {
	t.Helper()
	p, err := c.JoinGroup(within(t), server, h)
	if err != nil {
		t.Fatalf("JoinGroup(%q): %v", server, err)
	}
	return p
}

func lead(t testing.TB, p bus.GroupMember, term uint64) {
	t.Helper()
	if err := p.Lead(within(t), term); err != nil {
		t.Fatalf("Lead(%d): %v", term, err)
	}
}

func follow(t testing.TB, p bus.GroupMember) {
	t.Helper()
	if err := p.Follow(within(t)); err != nil {
		t.Fatalf("Follow: %v", err)
	}
}

// leaderTakesAll has three members, each of which leads once.
func leaderTakesAll(t *testing.T, b Broker) {
	const n = 300
	server := named(t, "s")
	var handled [3]atomic.Int64
	var members []bus.GroupMember
	for i := range handled {
		members = append(members, join(t, dial(t, b), server, func(r *bus.Request) {
			handled[i].Add(1)
			echo(r)
		}))
	}
	c := dial(t, b)
	for i, p := range members {
		lead(t, p, uint64(i+1))
		callAll(t, c, server, i*n, n)
		follow(t, p)
	}
	for i := range handled {
		if got := handled[i].Load(); got != n {
			t.Errorf("member %d took %d requests, want %d", i, got, n)
		}
	}
}

// newLeaderBeforeOld has an old leader that no longer answers, but has not stepped
// down. No request may be lost to it. A broker that holds requests may give it
// those for which the new leader has no room; it gives them back.
func newLeaderBeforeOld(t *testing.T, b Broker) {
	server := named(t, "s")
	frozen := join(t, dial(t, b), server, func(r *bus.Request) { r.GiveBack() })
	fresh := join(t, dial(t, b), server, echo)
	lead(t, frozen, 7)
	lead(t, fresh, 8)
	callAll(t, dial(t, b), server, 0, 300)
}

// electedAgain has a leader that leads again, in the same term or another. It must
// get each request once.
func electedAgain(t *testing.T, b Broker) {
	server, c := named(t, "s"), dial(t, b)
	var handled atomic.Int64
	p := join(t, dial(t, b), server, func(r *bus.Request) {
		handled.Add(1)
		echo(r)
	})
	for i, term := range []uint64{1, 1, 2, 9} {
		lead(t, p, term)
		callAll(t, c, server, i*40, 40)
	}
	if got := handled.Load(); got != 160 {
		t.Errorf("%d requests were handled, want 160", got)
	}
}

// memberCloses: a closed member gets no requests, and another one may lead.
func memberCloses(t *testing.T, b Broker) {
	server, c := named(t, "s"), dial(t, b)
	gone := make(chan *bus.Request, 9)
	first := join(t, dial(t, b), server, func(r *bus.Request) { gone <- r; r.Reply("first") })
	second := join(t, dial(t, b), server, func(r *bus.Request) { r.Reply("second") })
	lead(t, first, 1)
	wantJSON(t, mustCall(t, c, server, "x"), "first")
	take(t, gone, "the request")
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	lead(t, second, 2)
	wantJSON(t, mustCall(t, c, server, "x"), "second")
	if len(gone) != 0 {
		t.Error("a closed member got a request")
	}
	wantOneOf(t, first.Lead(within(t), 3), bus.ErrClosed)
	if err := second.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func leadIsRefused(t *testing.T, b Broker) {
	c := dial(t, b)
	p := join(t, c, named(t, "s"), echo)
	if err := p.Lead(within(t), 0); err == nil {
		t.Error("term 0 was accepted")
	}
	closeOnce(t, c)
	wantOneOf(t, p.Lead(within(t), 1), bus.ErrClosed)
	wantOneOf(t, p.Follow(within(t)), bus.ErrClosed)
	_, err := c.JoinGroup(within(t), named(t, "s"), echo)
	wantOneOf(t, err, bus.ErrClosed)
	_ = p.Close()
}

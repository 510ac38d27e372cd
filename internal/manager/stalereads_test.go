package manager

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

func TestStaleReadsWaitAndStartOver(t *testing.T) {
	at := func(s int) time.Duration { return time.Duration(s) * time.Second }
	s := staleReads{after: 10 * time.Second}
	expectLook := func(now int, on, begins bool) {
		t.Helper()
		if gotOn, gotBegins := s.check(at(now)); gotOn != on || gotBegins != begins {
			t.Errorf("at %d s: on %v, begins %v", now, gotOn, gotBegins)
		}
	}
	s.follow(replica.Role{}, at(0))
	expectLook(1000, false, false) // it never had a state that somebody vouched for
	s.follow(replica.Role{Kind: replica.Follower, Term: 3}, at(1000))
	expectLook(2000, false, false)
	s.follow(replica.Role{Term: 3}, at(2000))
	s.follow(replica.Role{Term: 4}, at(2005)) // still nobody leads
	expectLook(2009, false, false)
	s.restart(at(2009))
	expectLook(2018, false, false)
	expectLook(2019, true, true)
	expectLook(2020, true, false)
	if got := s.age(at(2020)); got != 20*time.Second || s.last.Term != 3 {
		t.Errorf("age %v of term %d, want that since somebody led, in term 3", got, s.last.Term)
	}
	s.restart(at(2021))
	expectLook(2022, false, false)
	expectLook(2031, true, true)
	s.follow(replica.Role{Kind: replica.Follower, Term: 5}, at(2032))
	expectLook(2099, false, false)
	s.after = 0
	s.follow(replica.Role{Term: 5}, at(2100))
	expectLook(9000, false, false)
}

// Without a quorum look-ups are answered from the last state, and marked.
// Everything else waits for a leader.
func TestLookUpsWithoutQuorum(t *testing.T) {
	onEachQueue(t, func(t *testing.T, dial func() bus.Conn) {
		p := newScripted(replica.Leader, 1)
		p.begin(t, dial())
		a := &asker{t: t, conn: dial()}
		a.ask("join", "conference", "c-1", info)
		a.ask("reportLoad", "c-1", 0.1)
		a.ask("pickUpTasks", "c-1", []string{"a"})

		p.become(replica.Candidate, 1)
		a.until(true, `["a"]`, "getTasks", "c-1")
		for method, args := range map[string][]any{
			"getWorkers": {"all"}, "getWorkerAttr": {"c-1"}, "getScheduled": {"conference", "a"}, "getClusterID": {},
			"listWorkers": {"all"}, "listTasks": {"all"}, "status": {},
		} {
			if a.ask(method, args...); !a.stale() && method != "getClusterID" {
				t.Errorf("the answer to %s is not marked", method)
			}
		}
		if _, err := a.try(healthy, "getTasks", "c-2"); err == nil || !a.stale() {
			t.Errorf("a refusal (%v) is not marked", err)
		}
		waits := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), healthy)
			defer cancel()
			for {
				_, err := a.conn.Call(ctx, t.Name(), "schedule", "conference", "b", nil, 60_000)
				if err == nil || err.Error() != muster.ReasonAskAgain.Text { // which it is after 2 s
					waits <- err
					return
				}
			}
		}()
		for range 2 * staleReadsRoom { // signs of life do not stand in the way
			if err := a.conn.Cast(context.Background(), t.Name(), "reportLoad", "c-1", 0.1); err != nil {
				t.Fatal(err)
			}
		}
		a.until(true, `["a"]`, "getTasks", "c-1")
		select {
		case err := <-waits:
			t.Errorf("answered without a quorum: %v", err)
		default:
		}
		p.become(replica.Leader, 2)
		if err := <-waits; err != nil {
			t.Errorf("with a leader again: %v", err)
		}
		a.until(false, `"c-1"`, "getScheduled", "conference", "b")
	})
}

// What nobody ever vouched for is not shown.
func TestNewcomerServesNoStaleReads(t *testing.T) {
	dial := queues["nats"](t)
	newScripted(replica.Candidate, 0).begin(t, dial())
	asked := hear(t, dial(), keyWhoLeads)
	for range 12 { // stale reads would start after 4
		<-asked
	}
	a := &asker{t: t, conn: dial()}
	if answer, err := a.try(callTimeout, "getWorkers", "all"); err == nil {
		t.Errorf("a manager without a state answers %s", answer)
	}
}

// hear returns a channel of what managers say under the key.
func hear(t *testing.T, conn bus.Conn, key string) <-chan struct{} {
	t.Helper()
	heard := make(chan struct{}, 1024)
	_, err := conn.Subscribe(context.Background(), topicManagers, key, func(_ string, body json.RawMessage) {
		var w beaconMessage
		if json.Unmarshal(body, &w) == nil && w.Cluster == t.Name() {
			heard <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return heard
}

// A manager that is cut off from the others, but not from the queue, does not
// answer from its old state while there is a leader, and stops when there is
// one again.
func TestCutOffManagerServesNoStaleReads(t *testing.T) {
	onEachQueue(t, func(t *testing.T, dial func() bus.Conn) {
		leader, cutOff := newScripted(replica.Leader, 1), newScripted(replica.Follower, 1)
		leader.begin(t, dial())
		m := cutOff.begin(t, dial())
		a := &asker{t: t, conn: dial()}
		a.until(false, `"in-service"`, "join", "conference", "c-1", info)
		const have, none = `["c-1"]`, `[]`

		told := hear(t, dial(), keyLeads)
		cutOff.become(replica.Candidate, 1)
		for range 12 {
			<-told
			if got := a.ask("getWorkers", "all"); got != have || a.stale() {
				t.Fatalf("answered %s, stale: %v", got, a.stale())
			}
		}
		leader.become(replica.Candidate, 1)
		a.until(true, none, "getWorkers", "all") // in turn, or together
		a.until(true, have, "getWorkers", "all")
		leader.become(replica.Leader, 2)
		a.until(false, have, "getWorkers", "all")
		for range 12 {
			<-told
			if got := a.ask("getWorkers", "all"); got != have || a.stale() {
				t.Fatalf("with a new leader: answered %s, stale: %v", got, a.stale())
			}
		}
		if err := m.callOwner(context.Background(), func(c *core) {
			if len(c.parked.take(nil)) > 0 {
				t.Error("the manager that is cut off keeps requests")
			}
		}); err != nil {
			t.Error(err)
		}
	})
}

package amqpbus_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/bus/amqpbus/rabbittest"
	"github.com/muster-fleet/muster/bus/bustest"
)

// dialThrough dials by a wire of its own.
func dialThrough(t testing.TB, b *rabbittest.Broker) (*amqpbus.Conn, *bustest.Wire) {
	t.Helper()
	w := bustest.NewWire(t, b.Addr())
	c := dialWith(t, bus.Options{URL: "amqp://guest:guest@" + w.Addr() + "/"})
	return c, w
}

// narrow calls, one after the other, until the leader has no more than one in
// hand.
func narrow(t testing.TB, c *amqpbus.Conn, server string, leader bus.Post) {
	t.Helper()
	for amqpbus.Window(leader) > 1 {
		if _, err := c.Call(within(t), server, "who"); err != nil {
			t.Fatal(err)
		}
	}
}

// callMany begins n calls, and returns where their answers come.
func callMany(t testing.TB, c *amqpbus.Conn, server string, n int) <-chan string {
	answers := make(chan string, n)
	for range n {
		go func() {
			raw, err := c.Call(within(t), server, "who")
			if err != nil {
				raw = json.RawMessage(err.Error())
			}
			answers <- string(raw)
		}()
	}
	return answers
}

func wantAnswers(t testing.TB, answers <-chan string, n int, want string) {
	t.Helper()
	for range n {
		if got := take(t, answers, "an answer"); got != `"`+want+`"` {
			t.Fatalf("answered %s, want %q", got, want)
		}
	}
}

// TestFrozenLeader: from a leader that is halted or cut off, the broker hears
// nothing, and does not know. It has one call in hand. All others go to the next
// leader, that one when the old leader is back, or is known to be gone.
func TestFrozenLeader(t *testing.T) {
	for name, after := range map[string]func(*bustest.Wire){
		"that comes back": (*bustest.Wire).Resume,
		"that dies":       (*bustest.Wire).Cut,
	} {
		t.Run(name, func(t *testing.T) {
			const n = 150
			b := shared.Broker(t)
			server := "frozen-leader " + name
			conn, wire := dialThrough(t, b)
			var replaced atomic.Bool
			old := stand(t, conn, server, func(r *bus.Request) {
				if !replaced.Load() || !r.GiveBack() {
					r.Reply("old")
				}
			})
			heir := stand(t, dial(t, b), server, says("heir"))
			stand(t, dial(t, b), server, says("follower"))
			lead(t, old, 1)
			c := dial(t, b)
			narrow(t, c, server, old)
			wire.Halt()
			answers := callMany(t, c, server, n)
			replaced.Store(true)
			lead(t, heir, 2)
			wantAnswers(t, answers, n-1, "heir")
			after(wire)
			wantAnswers(t, answers, 1, "heir")
		})
	}
}

// TestFrozenFollower: a member that does not lead has nothing in hand, however
// many calls there are.
func TestFrozenFollower(t *testing.T) {
	b := shared.Broker(t)
	leader := stand(t, dial(t, b), "frozen-follower", says("leader"))
	lead(t, leader, 1)
	conn, wire := dialThrough(t, b)
	stand(t, conn, "frozen-follower", says("follower"))
	c := dial(t, b)
	narrow(t, c, "frozen-follower", leader)
	wire.Halt()
	defer wire.Resume()
	wantAnswers(t, callMany(t, c, "frozen-follower", 1000), 1000, "leader")
}

// TestWindowWidens under load, and no request changes its place on the way.
func TestWindowWidens(t *testing.T) {
	b := shared.Broker(t)
	var last atomic.Int64
	leader := stand(t, dial(t, b), "widens", func(r *bus.Request) {
		var i int64
		if r.Method == "cast" {
			if err := json.Unmarshal(r.Args[0], &i); err != nil || !last.CompareAndSwap(i-1, i) {
				t.Errorf("%d came after %d (%v)", i, last.Load(), err)
			}
		}
		r.Reply("leader")
	})
	stand(t, dial(t, b), "widens", says("follower"))
	lead(t, leader, 1)
	c := dial(t, b)
	narrow(t, c, "widens", leader)
	var callers sync.WaitGroup
	var wide atomic.Bool
	for range 63 {
		callers.Go(func() {
			for !wide.Load() {
				if raw, err := c.Call(within(t), "widens", "who"); err != nil || string(raw) != `"leader"` {
					t.Errorf("answered %s, %v", raw, err)
					return
				}
			}
		})
	}
	n := 0
	for amqpbus.Window(leader) < amqpbus.WideOpen && !t.Failed() {
		for range 10 {
			n++
			if err := c.Cast(within(t), "widens", "cast", n); err != nil {
				t.Error(err)
			}
		}
		wantFrom(t, c, "widens", "leader", 1)
	}
	wide.Store(true)
	callers.Wait()
	wantFrom(t, c, "widens", "leader", 1)
	if got := last.Load(); got != int64(n) {
		t.Errorf("%d of %d casts came", got, n)
	}
}

// TestKeptRequest: a handler that keeps a request does not keep others out.
func TestKeptRequest(t *testing.T) {
	b := shared.Broker(t)
	kept := make(chan *bus.Request, 3)
	leader := stand(t, dial(t, b), "kept", func(r *bus.Request) {
		if r.Method == "keep" {
			kept <- r
			return
		}
		r.Reply("leader")
	})
	lead(t, leader, 1)
	c := dial(t, b)
	narrow(t, c, "kept", leader)
	for i := range cap(kept) {
		if err := c.Cast(within(t), "kept", "keep", i); err != nil {
			t.Fatal(err)
		}
	}
	wantFrom(t, c, "kept", "leader", 30)
	for i := range cap(kept) {
		if r := take(t, kept, "what is kept"); string(r.Args[0]) != fmt.Sprint(i) {
			t.Errorf("%s came as number %d", r.Args[0], i)
		}
	}
}

// TestStandBrokerRestarts: members are back in their roles, and so they are
// after somebody deleted the exchange under a leader's answers.
func TestStandBrokerRestarts(t *testing.T) {
	b := rabbittest.Start(t)
	conn, log := dialLogged(t, b)
	leader := stand(t, conn, "restarts", says("leader"))
	stand(t, dial(t, b), "restarts", says("follower"))
	lead(t, leader, 1)
	c := dial(t, b)
	wantFrom(t, c, "restarts", "leader", 3)
	again := log.next("connected to the broker again")
	b.Kill()
	if err := b.Restart(within(t)); err != nil {
		t.Fatal(err)
	}
	take(t, again, "the leader")
	wantLeader(t, c, "restarts")
	again = log.next("connected to the broker again")
	if err := newRaw(t, b).ch.ExchangeDelete("owtRpc", false, false); err != nil {
		t.Fatal(err)
	}
	go c.Call(within(t), "restarts", "who") // its answer finds no exchange
	take(t, again, "the leader")
}

// wantLeader waits for the caller's own connection.
func wantLeader(t testing.TB, c *amqpbus.Conn, server string) {
	t.Helper()
	for {
		raw, err := c.Call(within(t), server, "who")
		if err == nil && string(raw) == `"leader"` {
			return
		}
		if err == nil || t.Context().Err() != nil {
			t.Fatalf("answered %s, %v", raw, err)
		}
	}
}

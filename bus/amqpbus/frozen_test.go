package amqpbus_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/internal/bustest"
	"github.com/muster-fleet/muster/internal/rabbittest"
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
func narrow(t testing.TB, c *amqpbus.Conn, server string, leader bus.GroupMember) {
	t.Helper()
	for ctx := within(t); amqpbus.Window(leader) > 1; {
		if _, err := c.Call(ctx, server, "who"); err != nil {
			t.Fatalf("with a window of %d: %v", amqpbus.Window(leader), err)
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
			old := join(t, conn, server, func(r *bus.Request) {
				if !replaced.Load() || !r.GiveBack() {
					r.Reply("old")
				}
			})
			heir := join(t, dial(t, b), server, says("heir"))
			join(t, dial(t, b), server, says("follower"))
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
	leader := join(t, dial(t, b), "frozen-follower", says("leader"))
	lead(t, leader, 1)
	conn, wire := dialThrough(t, b)
	join(t, conn, "frozen-follower", says("follower"))
	c := dial(t, b)
	narrow(t, c, "frozen-follower", leader)
	wire.Halt()
	defer wire.Resume()
	wantAnswers(t, callMany(t, c, "frozen-follower", 1000), 1000, "leader")
}

// TestWindowFollows the load up and down, while requests are on their way. None
// changes its place; and in the end a leader that is halted has one in hand, as
// if there had been no load.
func TestWindowFollows(t *testing.T) {
	const rounds, n = 3, 150
	b := shared.Broker(t)
	conn, wire := dialThrough(t, b)
	order := &order{t: t}
	leader := join(t, conn, "follows", order.handle)
	heir := join(t, dial(t, b), "follows", says("heir"))
	lead(t, leader, 1)
	c := dial(t, b)
	for range rounds {
		narrow(t, c, "follows", leader)
		widen(t, c, "follows", leader, order)
	}
	narrow(t, c, "follows", leader)
	wire.Halt()
	answers := callMany(t, c, "follows", n)
	lead(t, heir, 2)
	wantAnswers(t, answers, n-1, "heir")
	wire.Cut()
	wantAnswers(t, answers, 1, "heir")
}

// order is a handler that sees to it that casts come in order.
type order struct {
	t    *testing.T
	sent int
	came atomic.Int64
}

func (o *order) handle(r *bus.Request) {
	if r.Method == "cast" {
		n := o.came.Add(1)
		if got := string(r.Args[0]); got != fmt.Sprint(n) {
			o.t.Errorf("cast %s came as number %d", got, n)
		}
	}
	r.Reply("leader")
}

// widen calls many times at once until the leader has many in hand, with casts
// between the calls.
func widen(t *testing.T, c *amqpbus.Conn, server string, leader bus.GroupMember, o *order) {
	t.Helper()
	defer callOften(t, c, server)()
	for ctx := within(t); amqpbus.Window(leader) < 32; {
		o.castTo(c, server)
		wantFrom(t, c, server, "leader", 1)
		if ctx.Err() != nil || t.Failed() {
			t.Fatalf("the window is %d wide", amqpbus.Window(leader))
		}
	}
}

func (o *order) castTo(c *amqpbus.Conn, server string) {
	o.t.Helper()
	for range 10 {
		o.sent++
		if err := c.Cast(within(o.t), server, "cast", o.sent); err != nil {
			o.t.Fatal(err)
		}
	}
}

// callOften has many callers call the leader until stop is called.
func callOften(t *testing.T, c *amqpbus.Conn, server string) (stop func()) {
	ctx := within(t)
	var callers sync.WaitGroup
	var enough atomic.Bool
	for range 63 {
		callers.Go(func() {
			for !enough.Load() {
				if raw, err := c.Call(ctx, server, "who"); err != nil || string(raw) != `"leader"` {
					t.Errorf("answered %s, %v", raw, err)
					return
				}
			}
		})
	}
	return func() {
		enough.Store(true)
		callers.Wait()
	}
}

// TestWindowMovesUnderLoad: that the broker is asked for another limit does not
// disturb the answers that leave on the same channel meanwhile.
func TestWindowMovesUnderLoad(t *testing.T) {
	b := shared.Broker(t)
	conn := dial(t, b)
	order := &order{t: t}
	leader := join(t, conn, "moves", order.handle)
	lead(t, leader, 1)
	c := dial(t, b)
	changes := countChanges(conn)
	stop := callOften(t, c, "moves")
	for i := range 300 {
		if err := amqpbus.SetWindow(leader, 1<<(i%9)); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			order.castTo(c, "moves")
		}
	}
	stop()
	wantFrom(t, c, "moves", "leader", 1)
	if n := changes(); n != 0 {
		t.Errorf("the leader's connection was lost: %d changes of its status", n)
	}
	if came := order.came.Load(); came != int64(order.sent) {
		t.Errorf("%d of %d casts came", came, order.sent)
	}
}

// TestKeptRequest: a handler that keeps a request does not keep others out.
func TestKeptRequest(t *testing.T) {
	b := shared.Broker(t)
	kept := make(chan *bus.Request, 3)
	leader := join(t, dial(t, b), "kept", func(r *bus.Request) {
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

// TestGroupBrokerRestarts: members are back in their roles, and so they are
// after somebody deleted the exchange under a leader's answers.
func TestGroupBrokerRestarts(t *testing.T) {
	b := shared.Broker(t)
	conn, log := dialLogged(t, b)
	leader := join(t, conn, "restarts", says("leader"))
	join(t, dial(t, b), "restarts", says("follower"))
	lead(t, leader, 1)
	c := dial(t, b)
	wantFrom(t, c, "restarts", "leader", 3)
	again := log.next("reconnected to the broker")
	b.Kill()
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	take(t, again, "the leader")
	wantLeader(t, c, "restarts")
	again = log.next("reconnected to the broker")
	if err := newRaw(t, b).ch.ExchangeDelete("owtRpc", false, false); err != nil {
		t.Fatal(err)
	}
	go c.Call(within(t), "restarts", "who") // its answer finds no exchange
	take(t, again, "the leader")
}

// wantLeader waits for the caller's own connection.
func wantLeader(t testing.TB, c *amqpbus.Conn, server string) {
	t.Helper()
	for ctx := within(t); ; {
		raw, err := c.Call(ctx, server, "who")
		if err == nil && string(raw) == `"leader"` {
			return
		}
		if err == nil || ctx.Err() != nil {
			t.Fatalf("answered %s, %v", raw, err)
		}
	}
}

package amqpbus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
)

func join(t testing.TB, c *amqpbus.Conn, server string, h bus.Handler) bus.GroupMember {
	t.Helper()
	p, err := c.JoinGroup(within(t), server, h)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func lead(t testing.TB, p bus.GroupMember, term uint64) {
	t.Helper()
	if err := p.Lead(within(t), term); err != nil {
		t.Fatal(err)
	}
}

// says answers everything with the name.
func says(name string) bus.Handler { return func(r *bus.Request) { r.Reply(name) } }

func wantFrom(t testing.TB, c *amqpbus.Conn, server, want string, n int) {
	t.Helper()
	for range n {
		if raw, err := c.Call(within(t), server, "who"); err != nil || string(raw) != `"`+want+`"` {
			t.Fatalf("answered by %s (%v), want %q", raw, err, want)
		}
	}
}

// TestGroupBesidePlainServer: a queue at which members stand has OWT's flags. A
// master of OWT's, which serves plainly, comes before members that do not lead,
// and after one that does.
func TestGroupBesidePlainServer(t *testing.T) {
	b := shared.Broker(t)
	c := dial(t, b)
	p := join(t, dial(t, b), "stand-mixed", says("member"))
	if _, err := newRaw(t, b).ch.QueueDeclare("stand-mixed", false, true, false, false, nil); err != nil {
		t.Fatalf("declared as OWT does: %v", err)
	}
	serve(t, dial(t, b), "stand-mixed", says("master"))
	wantFrom(t, c, "stand-mixed", "master", 30)
	lead(t, p, 1)
	wantFrom(t, c, "stand-mixed", "member", 30)
	if err := p.Follow(within(t)); err != nil {
		t.Fatal(err)
	}
	wantFrom(t, c, "stand-mixed", "master", 30)
}

// TestQueueGoesWithLastMember, as the queue of a plain server does.
func TestQueueGoesWithLastMember(t *testing.T) {
	b := shared.Broker(t)
	first, second := join(t, dial(t, b), "stand-last", echo), join(t, dial(t, b), "stand-last", echo)
	exists := func() bool {
		_, err := newRaw(t, b).ch.QueueDeclarePassive("stand-last", false, true, false, false, nil)
		return err == nil
	}
	lead(t, first, 1)
	for i, p := range []bus.GroupMember{first, second} {
		if !exists() {
			t.Errorf("the queue is gone with %d members left", 2-i)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if exists() {
		t.Error("the queue outlived its members")
	}
}

// TestGroupQueueDeleted: a member whose queue an operator deletes is back in its
// role. What it had received is dropped: answers to that are not sent.
func TestGroupQueueDeleted(t *testing.T) {
	b := shared.Broker(t)
	c, log := dialLogged(t, b)
	held := make(chan *bus.Request, 1)
	p := join(t, c, "stand-deleted", func(r *bus.Request) {
		if r.Method == "hold" {
			held <- r
			return
		}
		r.Reply("leader")
	})
	lead(t, p, 3)
	if err := c.Cast(within(t), "stand-deleted", "hold"); err != nil {
		t.Fatal(err)
	}
	r := take(t, held, "the cast")
	again := log.next("consuming again")
	if _, err := newRaw(t, b).ch.QueueDelete("stand-deleted", false, false, false); err != nil {
		t.Fatal(err)
	}
	take(t, again, "the member")
	r.GiveBack() // on a channel that is gone
	serve(t, dial(t, b), "stand-deleted", says("plain"))
	wantFrom(t, c, "stand-deleted", "leader", 30)
}

// TestLeadOnFrozenBroker: Lead ends with its context; the member leads once the
// broker is back.
func TestLeadOnFrozenBroker(t *testing.T) {
	b := shared.Broker(t)
	p := join(t, dial(t, b), "stand-frozen", says("leader"))
	c := dial(t, b)
	serve(t, c, "stand-frozen", says("plain"))
	if err := b.Freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Thaw() })
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	// On a busy machine the broker may have answered before it stood still.
	if err := p.Lead(ctx, 1); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lead: %v", err)
	}
	if err := b.Thaw(); err != nil {
		t.Fatal(err)
	}
	for ctx := within(t); ; {
		raw, err := c.Call(ctx, "stand-frozen", "who")
		if err != nil {
			t.Fatal(err)
		}
		if string(raw) == `"leader"` {
			return
		}
	}
}

// TestGroupRefused: a refusal of the broker is reported, and costs nothing else.
func TestGroupRefused(t *testing.T) {
	b := shared.Broker(t)
	raw := newRaw(t, b)
	if _, err := raw.ch.QueueDeclare("stand-refused", false, false, false, false, amqp.Table{"x-max-length": int32(1)}); err != nil {
		t.Fatal(err)
	}
	defer raw.ch.QueueDelete("stand-refused", false, false, false)
	c := dial(t, b)
	serve(t, c, "stand-fine", echo)
	for _, name := range []string{"", "a\nb", "amq.mine", "stand-refused"} {
		if _, err := c.JoinGroup(within(t), name, echo); err == nil {
			t.Errorf("standing for %q was accepted", name)
		}
	}
	wantEcho(t, c, "stand-fine", "x")
}

package amqpbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

// TestPolicies: under a policy for all queues the idle consumers stay: the queue of a
// name lives while a member stands for it, no member that does not lead keeps a
// request, and a leader gets all of them. Each policy has a vhost of its own.
func TestPolicies(t *testing.T) {
	b := shared.Broker(t)
	t.Cleanup(amqpbus.RenewPlaceholdersEvery(300 * time.Millisecond))
	policies := map[string]string{
		"message-ttl":          `{"message-ttl":100}`,
		"max-length":           `{"max-length":1}`,
		"max-length-0":         `{"max-length":0}`,
		"reject-publish":       `{"max-length":1,"overflow":"reject-publish"}`,
		"expires":              `{"expires":1000}`,
		"dead-letter-exchange": `{"dead-letter-exchange":"amq.fanout","message-ttl":100}`,
		"queue-mode":           `{"queue-mode":"lazy"}`,
	}
	ctl(t, b, "import_definitions", vhostsWith(t, policies))
	t.Cleanup(func() {
		ctl(t, b, "eval", `[rabbit_vhost:delete(V, <<"test">>) || V <- rabbit_vhost:list_names(), V =/= <<"/">>].`)
	})
	followers := map[string]<-chan amqp.Delivery{}
	for name := range policies {
		kept := func(r *bus.Request) { t.Error("a member that does not lead got a request") }
		if _, err := dialWith(t, bus.Options{URL: b.URL() + name}).JoinGroup(within(t), name, kept); err != nil {
			t.Fatal(err)
		}
		followers[name] = newRawAt(t, b.URL()+name).listen("amq.fanout", "x")
	}
	time.Sleep(2 * time.Second) // several placeholders, each beyond its time to live
	for name, dead := range followers {
		t.Run(name, func(t *testing.T) {
			url := b.URL() + name
			leader, caller := dialWith(t, bus.Options{URL: url}), dialWith(t, bus.Options{URL: url})
			echoes := func(r *bus.Request) { echo(r) }
			member, err := leader.JoinGroup(within(t), name, echoes)
			if err == nil {
				err = member.Lead(within(t), 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 50 {
				wantEcho(t, caller, name, "x")
			}
			if got := consumers(t, url, name); got != 3 {
				t.Errorf("the queue has %d consumers, want 2 idle ones and a leader", got)
			}
			end := newRawAt(t, url)
			wantNoneBefore(t, dead, func() { end.publish("amq.fanout", "x", []byte("end")) })
			// Idle consumers alone: a request waits, or expires as the policy says.
			if err := member.Follow(within(t)); err != nil {
				t.Fatal(err)
			}
			if got := consumers(t, url, name); got != 2 {
				t.Errorf("the queue has %d consumers, want 2 idle ones", got)
			}
		})
	}
}

// vhostsWith writes definitions of a vhost for each policy for all queues, named
// after it, and returns the file.
func vhostsWith(t *testing.T, policies map[string]string) string {
	t.Helper()
	type object = map[string]any
	var vhosts, permissions, all []object
	for name, definition := range policies {
		vhosts = append(vhosts, object{"name": name})
		permissions = append(permissions, object{"user": "guest", "vhost": name, "configure": ".*", "write": ".*", "read": ".*"})
		all = append(all, object{"vhost": name, "name": "all", "pattern": ".*", "apply-to": "queues", "priority": 0,
			"definition": json.RawMessage(definition)})
	}
	content, err := json.Marshal(object{"vhosts": vhosts, "permissions": permissions, "policies": all})
	file := filepath.Join(t.TempDir(), "definitions.json")
	if err == nil {
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// ctl runs rabbitmqctl, also after the test.
func ctl(t *testing.T, b *rabbittest.Broker, args ...string) {
	t.Helper()
	if err := b.Ctl(within(t), args...); err != nil {
		t.Fatal(err)
	}
}

// wantNoneBefore fails the test where a message comes before the one that mark
// sends. A policy may drop that one, and so it is sent until it comes.
func wantNoneBefore(t *testing.T, messages <-chan amqp.Delivery, mark func()) {
	t.Helper()
	for dead := 0; ; {
		mark()
		select {
		case d, open := <-messages:
			switch {
			case !open:
				t.Fatal("the broker closed the channel of dead letters")
			case string(d.Body) == "end":
				return
			}
			if dead++; dead == 1 {
				t.Errorf("a placeholder became a dead letter: %q", d.Body)
			}
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// consumers counts those of a queue.
func consumers(t *testing.T, url, queue string) int {
	t.Helper()
	q, err := newRawAt(t, url).ch.QueueDeclarePassive(queue, false, true, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q.Consumers
}

// TestBrokerRefuses: what an operator changes under a connection that is there
// ends in a connection that works, as soon as the broker allows it.
func TestBrokerRefuses(t *testing.T) {
	b := shared.Broker(t)
	ctl := func(args ...string) {
		t.Helper()
		ctl(t, b, args...)
	}
	ctl("add_vhost", "fleet")
	t.Cleanup(func() { ctl("delete_vhost", "fleet") })
	ctl("set_permissions", "-p", "fleet", "guest", ".*", ".*", ".*")
	open := func() *amqpbus.Conn { return dialWith(t, bus.Options{URL: b.URL() + "fleet"}) }
	server, caller := open(), open()
	serve(t, server, "s", echo)
	member, err := server.JoinGroup(within(t), "led", echo)
	if err == nil {
		err = member.Lead(within(t), 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	works := func(what string) {
		t.Helper()
		for _, name := range []string{"s", "led"} {
			for {
				_, err := caller.Call(within(t), name, "echo", "x")
				if err == nil {
					break
				}
				if !errors.Is(err, bus.ErrDisconnected) && !errors.Is(err, bus.ErrNoServer) {
					t.Fatalf("%s: %v", what, err)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	works("at first")
	ctl("set_permissions", "-p", "fleet", "guest", "^$", "^$", "^$")
	ctl("close_all_connections", "--vhost", "fleet", "test")
	ctl("set_permissions", "-p", "fleet", "guest", ".*", ".*", ".*")
	works("after rights were taken and given back")
	ctl("delete_vhost", "fleet")
	ctl("add_vhost", "fleet")
	ctl("set_permissions", "-p", "fleet", "guest", ".*", ".*", ".*")
	works("in a vhost that was made anew")
	// A declaration that the broker refuses closes a channel, and no more.
	raw := newRaw(t, b)
	if _, err := raw.ch.QueueDeclare("taken", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	var refused *amqp.Error
	here := dial(t, b)
	if _, err := here.Serve(within(t), "taken", echo); !errors.As(err, &refused) || refused.Code != amqp.PreconditionFailed {
		t.Errorf("a queue of other flags: %v", err)
	}
	serve(t, here, "free", echo)
	wantEcho(t, here, "free", "x")
}

// TestBrokersOwnLimit: a broker that takes less than is usual closes the channel
// on the first body that is too large; the next one is refused for what it is, a
// call as well as an answer.
func TestBrokersOwnLimit(t *testing.T) {
	b := shared.Broker(t)
	const limit = 100_000
	set := "application:set_env(rabbit, max_message_size, %[1]s), persistent_term:put(max_message_size, %[1]s)."
	ctl(t, b, "eval", "persistent_term:put(usual_size, element(2, application:get_env(rabbit, max_message_size))), "+fmt.Sprintf(set, fmt.Sprint(limit)))
	t.Cleanup(func() { ctl(t, b, "eval", fmt.Sprintf(set, "persistent_term:get(usual_size)")) })
	server, caller := dial(t, b), dial(t, b)
	large := strings.Repeat("x", limit)
	handler := func(r *bus.Request) {
		if r.Method == "large" {
			r.Reply(large)
			return
		}
		echo(r)
	}
	serve(t, server, "s", handler)
	member, err := server.JoinGroup(within(t), "led", handler)
	if err == nil {
		err = member.Lead(within(t), 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := caller.Call(within(t), "s", "echo", large); !errors.Is(err, bus.ErrDisconnected) {
		t.Errorf("the first: %v", err)
	}
	until(t, func() error { _, err := caller.Call(within(t), "s", "echo", large); return err }, bus.ErrTooLarge)
	for _, name := range []string{"s", "led"} {
		var refusal *bus.RemoteError
		for refusal == nil {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			if _, err := caller.Call(ctx, name, "large"); !errors.As(err, &refusal) && within(t).Err() != nil {
				t.Fatalf("a large answer of %s: %v", name, err)
			}
			cancel()
		}
		if !strings.Contains(refusal.Reason, "the broker takes") {
			t.Errorf("a large answer of %s: %v", name, refusal)
		}
		wantEcho(t, caller, name, "x")
	}
}

// until calls f until it has that error.
func until(t *testing.T, f func() error, want error) {
	t.Helper()
	ctx := within(t)
	for err := f(); !errors.Is(err, want); err = f() {
		if ctx.Err() != nil {
			t.Fatalf("got %v, want %v", err, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestWrongPassword: the broker takes 3 s to refuse one. A caller that gives up
// earlier learns no more than that; one that waits learns the reason.
func TestWrongPassword(t *testing.T) {
	b := shared.Broker(t)
	o := bus.Options{URL: "amqp://guest:SECRET@" + b.Addr() + "/"}
	if _, err := amqpbus.Dial(within(t), o); !errors.Is(err, bus.ErrDenied) {
		t.Errorf("with patience: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := amqpbus.Dial(ctx, o); errors.Is(err, bus.ErrDenied) || !errors.Is(err, ctx.Err()) {
		t.Errorf("without: %v", err)
	}
}

// alarm puts the broker short of memory until calm is called, or the test ends.
func alarm(t *testing.T, b *rabbittest.Broker) (calm func()) {
	t.Helper()
	calm = sync.OnceFunc(func() { ctl(t, b, "set_vm_memory_high_watermark", "0.6") })
	t.Cleanup(calm)
	ctl(t, b, "set_vm_memory_high_watermark", "0")
	return calm
}

// TestBlocked: an alarm of the broker is reported, and is the reason of what is not
// done in time.
func TestBlocked(t *testing.T) {
	b := shared.Broker(t)
	c := dial(t, b)
	serve(t, c, "s", echo)
	status := make(chan bus.Status, 9)
	c.Watch(func(s bus.Status) { status <- s })
	if s := take(t, status, "the status"); !s.Usable() {
		t.Fatalf("status %v", s)
	}
	calm := alarm(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.Call(ctx, "s", "echo", "x"); !errors.Is(err, bus.ErrBlocked) {
		t.Errorf("a call: %v", err)
	}
	if s := take(t, status, "the alarm"); s.Usable() || !s.Blocked || !errors.Is(s.Err, bus.ErrBlocked) {
		t.Errorf("status %v", s)
	}
	calm()
	if s := take(t, status, "the end of the alarm"); !s.Usable() {
		t.Errorf("status %v", s)
	}
	wantEcho(t, c, "s", "x")
}

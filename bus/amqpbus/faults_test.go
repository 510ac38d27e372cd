package amqpbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

func dialLogged(t testing.TB, b *rabbittest.Broker) (*amqpbus.Conn, *logged) {
	t.Helper()
	log := &logged{}
	return dialWith(t, bus.Options{URL: b.URL(), Logger: slog.New(log)}), log
}

// TestRefusedByTheBroker: what the broker refuses costs the channel that it was
// asked on, and nothing else.
func TestRefusedByTheBroker(t *testing.T) {
	b := shared.Broker(t)
	raw := newRaw(t, b)
	if err := raw.ch.ExchangeDeclare("refused-topic", "fanout", false, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.ch.QueueDeclare("refused-server", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	defer raw.ch.QueueDelete("refused-server", false, false, false)
	defer raw.ch.ExchangeDelete("refused-topic", false, false)
	c := dial(t, b)
	serve(t, c, "refused-fine", echo)
	stopped := countChanges(c)
	for name, refused := range map[string]func() error{
		"reserved name":      func() error { _, err := c.Serve(within(t), "amq.mine", echo); return err },
		"queue of others":    func() error { _, err := c.Serve(within(t), "refused-server", echo); return err },
		"topic of others":    func() error { return c.Publish(within(t), "refused-topic", "k", 1) },
		"reserved topic":     func() error { return c.Publish(within(t), "amq.mine", "k", 1) },
		"listen on others'":  func() error { _, err := c.Subscribe(within(t), "refused-topic", "#", nil); return err },
		"long server":        func() error { _, err := c.Serve(within(t), strings.Repeat("x", 256), echo); return err },
		"long call":          func() error { _, err := c.Call(within(t), strings.Repeat("x", 256), "m"); return err },
		"long cast":          func() error { return c.Cast(within(t), strings.Repeat("x", 256), "m") },
		"long topic":         func() error { return c.Publish(within(t), strings.Repeat("x", 256), "k", 1) },
		"long key":           func() error { return c.Publish(within(t), "refused-keys", strings.Repeat("x", 256), 1) },
		"long pattern":       func() error { _, err := c.Subscribe(within(t), "t", strings.Repeat("x", 256), nil); return err },
		"nameless server":    func() error { _, err := c.Serve(within(t), "", echo); return err },
		"nameless topic":     func() error { return c.Publish(within(t), "", "k", 1) },
		"# before the end":   func() error { _, err := c.Subscribe(within(t), "t", "#.x", nil); return err },
		"line break in name": func() error { _, err := c.Serve(within(t), "a\nb", echo); return err },
	} {
		if err := refused(); err == nil {
			t.Errorf("%s was accepted", name)
		} else if errors.Is(err, bus.ErrDisconnected) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		wantEcho(t, c, "refused-fine", name)
	}
	longest := strings.Repeat("x", 255)
	serve(t, c, longest, echo)
	wantEcho(t, c, longest, "x")
	if n := stopped(); n != 0 {
		t.Errorf("the connection was lost: %d changes of its status", n)
	}
}

// countChanges returns what counts the changes of the status since.
func countChanges(c bus.Conn) func() int {
	changes := -1 // the first is how it stands
	stop := c.Watch(func(bus.Status) { changes++ })
	return func() int {
		stop()
		return changes
	}
}

// TestQueueDeleted: a server whose queue an operator deletes is back by itself.
func TestQueueDeleted(t *testing.T) {
	b := shared.Broker(t)
	c, log := dialLogged(t, b)
	serve(t, c, "deleted", echo)
	again := log.next("consuming again")
	if _, err := newRaw(t, b).ch.QueueDelete("deleted", false, false, false); err != nil {
		t.Fatal(err)
	}
	take(t, again, "the server")
	wantEcho(t, c, "deleted", "x")
}

// TestTopicDeleted: the exchange of a topic is deleted. What is published then
// is lost, with the channel; then all is as before.
func TestTopicDeleted(t *testing.T) {
	b := shared.Broker(t)
	c, log := dialLogged(t, b)
	if err := c.Publish(within(t), "deleted-topic", "k", 1); err != nil {
		t.Fatal(err)
	}
	serve(t, c, "deleted-topic-fine", echo)
	if err := newRaw(t, b).ch.ExchangeDelete("deleted-topic", false, false); err != nil {
		t.Fatal(err)
	}
	closed := log.next("closed a channel")
	if err := c.Publish(within(t), "deleted-topic", "k", 2); err != nil {
		t.Fatal(err)
	}
	take(t, closed, "the end of the channel")
	wantEcho(t, c, "deleted-topic-fine", "x")
	heard := make(chan json.RawMessage, 100)
	if _, err := c.Subscribe(within(t), "deleted-topic", "k", func(_ string, body json.RawMessage) { heard <- body }); err != nil {
		t.Fatal(err)
	}
	for c.Publish(within(t), "deleted-topic", "k", 3) != nil {
		if t.Context().Err() != nil {
			t.Fatal("publishing has ended for good")
		}
	}
	if got := take(t, heard, "the notice"); string(got) != "3" {
		t.Errorf("heard %s", got)
	}
}

// TestRPCExchangeDeleted: without owtRpc no call is answered. The Conn that
// notices connects anew, and declares everything.
func TestRPCExchangeDeleted(t *testing.T) {
	b := shared.Broker(t)
	c, log := dialLogged(t, b)
	held := make(chan *bus.Request, 1)
	serve(t, c, "rpc-deleted", func(r *bus.Request) {
		if r.Method == "hold" {
			held <- r
			return
		}
		echo(r)
	})
	call := make(chan error, 1)
	go func() {
		_, err := c.Call(within(t), "rpc-deleted", "hold")
		call <- err
	}()
	take(t, held, "the call")
	again := log.next("reconnected to the broker")
	if err := newRaw(t, b).ch.ExchangeDelete("owtRpc", false, false); err != nil {
		t.Fatal(err)
	}
	if err := c.Cast(within(t), "rpc-deleted", "x"); err != nil {
		t.Fatal(err)
	}
	if err := take(t, call, "the end of the call"); !errors.Is(err, bus.ErrDisconnected) {
		t.Errorf("the call in flight ended with %v", err)
	}
	take(t, again, "the connection")
	wantEcho(t, c, "rpc-deleted", "x")
}

// TestAnythingArrives: no bytes that somebody publishes anywhere do harm.
func TestAnythingArrives(t *testing.T) {
	b := shared.Broker(t)
	server, c, raw := dial(t, b), dial(t, b), newRaw(t, b)
	s := serve(t, server, "anything", echo)
	var replyTo string
	spy := newRaw(t, b)
	seen := spy.serve("anything-spy")
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	go c.Call(ctx, "anything-spy", "x")
	call, err := bus.ParseCall(take(t, seen, "a call").Body)
	if err != nil {
		t.Fatal(err)
	}
	replyTo = call.ReplyTo
	bodies := append(strangeBodies(), strange(rand.New(rand.NewPCG(1, 2)), 200)...)
	for i, body := range bodies {
		p := amqp.Publishing{Body: body}
		if i%2 == 0 {
			p.ContentType, p.ContentEncoding, p.Type = "image/png", "gzip", "x"
			p.Headers = amqp.Table{"a": "b", "n": int32(7)}
		}
		for _, key := range []string{"anything", replyTo} {
			if err := raw.ch.Publish("owtRpc", key, false, false, p); err != nil {
				t.Fatal(err)
			}
		}
		if i%50 == 0 {
			wantEcho(t, c, "anything", fmt.Sprint(i))
		}
	}
	raw.publish("owtRpc", "anything", []byte("{"))
	wantEcho(t, c, "anything", "after")
	wantEcho(t, server, "anything", "self")
	if s.Malformed() == 0 {
		t.Error("nothing was called malformed")
	}
}

func strangeBodies() [][]byte {
	long := strings.Repeat("r", 300)
	bodies := []string{
		"", "null", "[]", "{}", "{", `"`, "0", "\x00", "\xff\xfe",
		`{"method":"echo","args":[],"corrID":0,"replyTo":"` + long + `"}`,
		`{"method":1,"args":[],"corrID":0,"replyTo":"` + long + `"}`,
		`{"method":"echo","args":[],"corrID":{"a":[1]},"replyTo":"anything"}`,
		`{"method":"echo","args":[],"corrID":0,"replyTo":"no such caller"}`,
		`{"method":"echo","args":[],"corrID":0,"replyTo":7}`,
		`{"method":"echo","args":[],"replyTo":"anything"}`,
		`{"method":"echo","args":[` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `]}`,
		`{"data":1,"corrID":-1,"type":"callback"}`, `{"data":1,"corrID":"0","type":"callback"}`,
		`{"data":1,"corrID":99999999999999999999999,"type":"onStatus"}`, `{"data":1,"corrID":1e2}`,
		strings.Repeat("x", 3<<20),
	}
	out := make([][]byte, len(bodies))
	for i, b := range bodies {
		out[i] = []byte(b)
	}
	return out
}

// strange returns bodies that are random, or that are a request with one part
// of it changed.
func strange(r *rand.Rand, n int) [][]byte {
	const request = `{"method":"echo","args":["webrtc",{"isp":"isp"}],"corrID":987654321,"replyTo":"nobody"}`
	out := make([][]byte, n)
	for i := range out {
		body := []byte(request)
		if i%2 == 0 {
			body = make([]byte, r.IntN(100))
		}
		for j := range body {
			if i%2 == 0 || r.IntN(20) == 0 {
				body[j] = byte(r.UintN(256))
			}
		}
		out[i] = body
	}
	return out
}

// TestOverload: a handler that is stuck makes its server refuse, not grow.
func TestOverload(t *testing.T) {
	b := shared.Broker(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	var handled int
	server, log := dialLogged(t, b)
	serve(t, server, "overload", func(r *bus.Request) {
		if handled++; handled == 1 {
			close(entered)
			<-leave
		}
		r.Reply(handled)
	})
	c := dial(t, b)
	if err := c.Cast(within(t), "overload", "first"); err != nil {
		t.Fatal(err)
	}
	take(t, entered, "the handler")
	full := log.next("server overloaded")
	for range amqpbus.ServerBacklog + 1 {
		if err := c.Cast(within(t), "overload", "more"); err != nil {
			t.Fatal(err)
		}
	}
	take(t, full, "the limit")
	_, err := c.Call(within(t), "overload", "one more")
	var refusal *bus.RemoteError
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Reason, "overloaded") {
		t.Errorf("got %v, want a refusal", err)
	}
	close(leave)
	for i := range 100_000 {
		raw, err := c.Call(within(t), "overload", "at last")
		if err == nil {
			if want := fmt.Sprint(amqpbus.ServerBacklog + 2); string(raw) != want {
				t.Errorf("%s requests were handled, want %s", raw, want)
			}
			return
		}
		if !errors.As(err, &refusal) {
			t.Fatalf("after %d refusals: %v", i, err)
		}
	}
	t.Fatal("the server refuses for ever")
}

// TestFrozenBroker: a broker that is halted keeps no caller beyond its deadline,
// is noticed by its heart-beats, and is no harm to Close.
func TestFrozenBroker(t *testing.T) {
	t.Parallel()
	b := rabbittest.Start(t)
	c, idle := dial(t, b), dial(t, b)
	s := serve(t, c, "frozen", echo)
	wantEcho(t, c, "frozen", "before")
	before := goleak.IgnoreCurrent()
	if err := b.Freeze(); err != nil {
		t.Fatal(err)
	}
	lost, back := make(chan bus.Status, 100), make(chan bus.Status, 100)
	defer c.Watch(func(s bus.Status) {
		if s.Connected {
			back <- s
		} else {
			lost <- s
		}
	})()
	take(t, back, "how it stands")
	wantDeadline(t, "Call", func(ctx context.Context) error { _, err := c.Call(ctx, "frozen", "echo"); return err })
	wantDeadline(t, "Serve", func(ctx context.Context) error { _, err := c.Serve(ctx, "frozen-more", echo); return err })
	wantDeadline(t, "Publish", func(ctx context.Context) error { return c.Publish(ctx, "frozen-topic", "k", 1) })
	wantDeadline(t, "Subscribe", func(ctx context.Context) error {
		_, err := c.Subscribe(ctx, "frozen-topic", "k", func(string, json.RawMessage) {})
		return err
	})
	wantDeadline(t, "Cast", func(ctx context.Context) error {
		for range 100 {
			if err := c.Cast(ctx, "frozen", "x", strings.Repeat("x", 1<<20)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := idle.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	take(t, lost, "the heart-beats' verdict")
	if _, err := c.Call(within(t), "frozen", "echo"); !errors.Is(err, bus.ErrDisconnected) {
		t.Errorf("got %v, want ErrDisconnected", err)
	}
	if err := b.Thaw(); err != nil {
		t.Fatal(err)
	}
	take(t, back, "the connection")
	wantEcho(t, c, "frozen", "after")
	if s.Malformed() != 0 {
		t.Error("a request was cut")
	}
	c.Close()
	goleak.VerifyNone(t, before)
}

func wantDeadline(t *testing.T, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := f(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: got %v, want its deadline", what, err)
	}
}

// TestReconnectLog: with a password, a broker that goes away, and a log that hears
// everything. It has no password, and refused attempts at growing intervals only.
func TestReconnectLog(t *testing.T) {
	t.Parallel()
	b := rabbittest.Start(t)
	log := &logged{}
	c := dialWith(t, bus.Options{URL: "amqp://" + rabbittest.User + ":" + rabbittest.Password + "@" + b.Addr(), Logger: slog.New(log)})
	const refused = "still not connected"
	var statuses []string
	defer c.Watch(func(s bus.Status) { statuses = append(statuses, s.String()) })()
	b.Kill()
	for !strings.Contains(log.String(), "attempts=8") {
		take(t, log.next(refused), "an attempt to connect")
	}
	_, err := c.Call(within(t), "x", "y")
	c.Close()
	if n := strings.Count(log.String(), refused); n > 5 { // of 16 attempts, where the eighth was missed
		t.Errorf("refused attempts are logged %d times:\n%s", n, log.String())
	}
	for _, text := range append(statuses, log.String(), err.Error()) {
		if strings.Contains(text, rabbittest.Password) {
			t.Errorf("the password is in %q", text)
		}
	}
}

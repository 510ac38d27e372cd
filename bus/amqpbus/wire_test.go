package amqpbus_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// recorded is a request of one of OWT's programs, as it was published.
type recorded struct {
	Exchange string          `json:"exchange"`
	Key      string          `json:"key"`
	Body     json.RawMessage `json:"body"`
}

// requests returns all recorded calls and casts, which go to exchange "" and
// to owtRpc.
func requests(t *testing.T) []recorded {
	t.Helper()
	files, err := filepath.Glob("../../testdata/owt-wire/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	var all []recorded
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			var r recorded
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			if bytes.HasPrefix(r.Body, []byte(`{"method":`)) {
				all = append(all, r)
			}
		}
	}
	return all
}

// TestRecordedRequestsArrive publishes every recorded request to where it went.
func TestRecordedRequestsArrive(t *testing.T) {
	b := shared.Broker(t)
	c, all := dial(t, b), requests(t)
	arrived := make(chan *bus.Request, len(all))
	var services []bus.Service
	for _, server := range serversOf(all) {
		services = append(services, serve(t, c, server, func(r *bus.Request) { arrived <- r }))
	}
	raw := newRaw(t, b)
	exchanges := map[string]int{}
	for _, r := range all {
		raw.publish(r.Exchange, r.Key, r.Body)
		got := take(t, arrived, string(r.Body))
		want, err := bus.ParseCall(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got.Method != want.Method || !slices.EqualFunc(got.Args, want.Args, slices.Equal) || got.Wanted() != (want.ReplyTo != "") {
			t.Errorf("%s arrived as %s %s", r.Body, got.Method, got.Args)
		}
		exchanges[r.Exchange]++
	}
	if exchanges[""] < 200 || exchanges["owtRpc"] < 20 {
		t.Errorf("recordings are incomplete: %v", exchanges)
	}
	for _, s := range services {
		if n := s.Malformed(); n != 0 {
			t.Errorf("%d recorded requests were called malformed", n)
		}
	}
}

func serversOf(all []recorded) []string {
	var names []string
	for _, r := range all {
		names = append(names, r.Key)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestRequestsAreOWTs sends each recorded request through a Conn, and holds
// what is on the wire against the recording.
func TestRequestsAreOWTs(t *testing.T) {
	b := shared.Broker(t)
	c, server := dial(t, b), newRaw(t, b)
	seen := server.serve("recorded")
	ctx, cancel := context.WithCancel(within(t))
	var callers sync.WaitGroup
	for _, r := range requests(t) {
		want, err := bus.ParseCall(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		args := make([]any, len(want.Args))
		for i, a := range want.Args {
			args[i] = a
		}
		exchange := ""
		if want.ReplyTo == "" {
			exchange = "owtRpc"
			if err := c.Cast(ctx, "recorded", want.Method, args...); err != nil {
				t.Fatal(err)
			}
		} else {
			callers.Go(func() { c.Call(ctx, "recorded", want.Method, args...) })
		}
		d := take(t, seen, "the request")
		got, err := bus.ParseCall(d.Body)
		if err != nil || d.Exchange != exchange || d.RoutingKey != "recorded" || d.ContentType != "application/json" {
			t.Fatalf("got %q to %q %q as %q: %v", d.Body, d.Exchange, d.RoutingKey, d.ContentType, err)
		}
		// But for its number, its queue, and that it asks for codes, the call is the
		// recorded one.
		if body := asSentBy(want, got); !bytes.Equal(body, d.Body) || !bytes.Equal(asSentBy(got, want), r.Body) {
			t.Errorf("sent    %s\nOWT has %s", d.Body, r.Body)
		}
	}
	cancel()
	callers.Wait()
}

// asSentBy returns the call as the sender of the other would have sent it.
func asSentBy(call, other bus.Call) []byte {
	call.CorrID, call.ReplyTo, call.Codes = other.CorrID, other.ReplyTo, other.Codes
	return bus.AppendCall(nil, call)
}

// serve consumes as OWT's servers do, with what they declare.
func (r *raw) serve(name string) <-chan amqp.Delivery {
	r.t.Helper()
	if err := r.ch.ExchangeDeclare("owtRpc", "direct", false, true, false, false, nil); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.ch.QueueDeclare(name, false, true, false, false, nil); err != nil {
		r.t.Fatal(err)
	}
	if err := r.ch.QueueBind(name, name, "owtRpc", false, nil); err != nil {
		r.t.Fatal(err)
	}
	out, err := r.ch.Consume(name, "", true, false, false, false, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// TestFirstCall looks at the very bytes of the first call of a Conn, and
// answers it as OWT does: number 0 is a number.
func TestFirstCall(t *testing.T) {
	b := shared.Broker(t)
	c, server := dial(t, b), newRaw(t, b)
	seen := server.serve("first")
	answers := make(chan string, 3)
	go func() {
		raw, err := c.CallStatus(within(t), "first", "join", func(s json.RawMessage) { answers <- string(s) }, "webrtc", 1)
		answers <- fmt.Sprintf("%s %v", raw, err)
	}()
	d := take(t, seen, "the call")
	call, err := bus.ParseCall(d.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"method":"join","args":["webrtc",1],"codes":true,"corrID":0,"replyTo":%q}`, call.ReplyTo)
	if string(d.Body) != want || !strings.HasPrefix(call.ReplyTo, "amq.gen-") {
		t.Errorf("sent %s, want %s", d.Body, want)
	}
	server.publish("owtRpc", call.ReplyTo, []byte(`{"data":"x","corrID":77,"type":"callback"}`))
	server.publish("owtRpc", call.ReplyTo, []byte(`no answer`))
	server.publish("owtRpc", call.ReplyTo, []byte(`{"data":"half","corrID":0,"type":"onStatus"}`))
	server.publish("owtRpc", call.ReplyTo, []byte(`{"corrID":0,"type":"onStatus"}`))
	server.publish("owtRpc", call.ReplyTo, []byte(`{"data":"in-service","corrID":0,"type":"callback"}`))
	for _, want := range []string{`"half"`, "null"} {
		if got := take(t, answers, "a status"); got != want {
			t.Errorf("status %s, want %s", got, want)
		}
	}
	if got := take(t, answers, "the answer"); got != `"in-service" <nil>` {
		t.Errorf("answer %s", got)
	}
}

// TestAnswersAreOWTs looks at the very bytes of answers.
func TestAnswersAreOWTs(t *testing.T) {
	b := shared.Broker(t)
	serve(t, dial(t, b), "answers", func(r *bus.Request) {
		switch r.Method {
		case "refuse":
			r.Fail("No such a task")
		case "steps":
			r.Status(1)
			r.Reply(2)
		default:
			r.Refuse(muster.ReasonUnsupported)
		}
	})
	caller := newRaw(t, b)
	answers := caller.listen("owtRpc", "")
	for _, exchange := range []string{"", "owtRpc"} {
		for method, want := range map[string][]string{
			"refuse":  {`{"data":"error","corrID":0,"type":"callback","err":"No such a task"}`},
			"steps":   {`{"data":1,"corrID":0,"type":"onStatus"}`, `{"data":2,"corrID":0,"type":"callback"}`},
			"unknown": {`{"data":"error","corrID":0,"type":"callback","err":"Not support method"}`},
		} {
			caller.publish(exchange, "answers", fmt.Appendf(nil, `{"method":%q,"args":[],"corrID":0,"replyTo":%q}`, method, caller.queue))
			for _, w := range want {
				if d := take(t, answers, w); string(d.Body) != w || d.Exchange != "owtRpc" || d.ContentType != "application/json" {
					t.Errorf("%s by %q: got %s as %q from %q, want %s", method, exchange, d.Body, d.ContentType, d.Exchange, w)
				}
			}
		}
	}
}

// TestDeclaredAsOWTDeclares declares everything once more, with the flags of
// OWT's programs, which the broker must accept, and with others, which it must
// refuse.
func TestDeclaredAsOWTDeclares(t *testing.T) {
	b := shared.Broker(t)
	c := dial(t, b)
	serve(t, c, "declared", echo)
	if _, err := c.Subscribe(within(t), "owt-cluster.management", "#", func(string, json.RawMessage) {}); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(within(t), bus.TopicMonitoring, "exit.quit", 1); err != nil {
		t.Fatal(err)
	}
	conn, err := amqp.Dial(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange := func(name, kind string, durable, autoDelete bool) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(name, kind, durable, autoDelete, false, false, nil)
		}
	}
	queue := func(durable, autoDelete, exclusive bool) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("declared", durable, autoDelete, exclusive, false, nil)
			return err
		}
	}
	for what, c := range map[string]struct {
		declare func(*amqp.Channel) error
		refused bool
	}{
		"owtRpc":                  {exchange("owtRpc", "direct", false, true), false},
		"owtRpc durable":          {exchange("owtRpc", "direct", true, true), true},
		"owtRpc kept":             {exchange("owtRpc", "direct", false, false), true},
		"owtRpc topic":            {exchange("owtRpc", "topic", false, true), true},
		"owtMonitoring":           {exchange("owtMonitoring", "topic", false, false), false},
		"owtMonitoring durable":   {exchange("owtMonitoring", "topic", true, false), true},
		"owtMonitoring deleted":   {exchange("owtMonitoring", "topic", false, true), true},
		"management":              {exchange("owt-cluster.management", "topic", false, false), false},
		"management deleted":      {exchange("owt-cluster.management", "topic", false, true), true},
		"queue of server":         {queue(false, true, false), false},
		"queue of server durable": {queue(true, true, false), true},
		"queue of server kept":    {queue(false, false, false), true},
		"queue of server private": {queue(false, true, true), true},
	} {
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		err = c.declare(ch)
		var e *amqp.Error
		if c.refused && !(errors.As(err, &e) && (e.Code == amqp.PreconditionFailed || e.Code == amqp.ResourceLocked)) || !c.refused && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestServerBesideOWTs: what OWT declared first is good for a Conn, and two
// servers of one name share its requests, as in OWT.
func TestServerBesideOWTs(t *testing.T) {
	b := shared.Broker(t)
	other := newRaw(t, b)
	seen := other.serve("beside")
	c := dial(t, b)
	arrived := make(chan *bus.Request, 2)
	serve(t, c, "beside", func(r *bus.Request) { arrived <- r })
	for range 2 {
		if err := c.Cast(within(t), "beside", "x"); err != nil {
			t.Fatal(err)
		}
	}
	take(t, seen, "OWT's half")
	take(t, arrived, "our half")
}

func TestNoServer(t *testing.T) {
	c := dial(t, shared.Broker(t))
	for range 3 {
		if _, err := c.Call(within(t), "nobody", "x", strings.Repeat("x", 1<<20)); !errors.Is(err, bus.ErrNoServer) {
			t.Errorf("got %v, want ErrNoServer", err)
		}
	}
}

// TestALoadCountsForWhatIsAskedAfterIt: signs of life pass other requests where
// many wait, and are not passed by a later one where few do.
func TestALoadCountsForWhatIsAskedAfterIt(t *testing.T) {
	b := shared.Broker(t)
	c, caller := dial(t, b), dial(t, b)
	last := json.RawMessage("null") // requests are handled one at a time
	serve(t, c, "in-order", func(r *bus.Request) {
		if r.Method == "reportLoad" {
			last = r.Args[0]
		}
		r.Reply(last)
	})
	for i := range 2000 {
		if err := caller.Cast(within(t), "in-order", "reportLoad", i); err != nil {
			t.Fatal(err)
		}
		got, err := caller.Call(within(t), "in-order", "ask")
		if want := strconv.Itoa(i); err != nil || string(got) != want {
			t.Fatalf("asked after load %s was reported, the server had %s, %v", want, got, err)
		}
	}
}

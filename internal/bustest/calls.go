package bustest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

var callCases = []testCase{
	{"RepliesInAnyOrder", repliesInAnyOrder},
	{"ArgumentsArriveAsTheyAre", argumentsArrive},
	{"EmptyBodies", emptyBodies},
	{"LargeBodies", largeBodies},
	{"LimitedBodies", limitedBodies},
	{"StatusInOrder", statusInOrder},
	{"StatusThenRefusal", statusThenRefusal},
	{"CallIgnoresStatus", callIgnoresStatus},
	{"CastIsNotAnswered", castIsNotAnswered},
	{"ReplyFromAnyGoroutine", replyFromAnyGoroutine},
	{"StaleAnswersSaySo", staleAnswersSaySo},
	{"AnswersSayTheTerm", answersSayTheTerm},
	{"TracesGoOn", tracesGoOn},
}

var refusalCases = []testCase{
	{"UnknownMethod", unknownMethod},
	{"EmptyRefusal", emptyRefusal},
	{"RefusalDetail", refusalDetail},
	{"UnencodableArgument", unencodableArgument},
}

func repliesInAnyOrder(t *testing.T, b Broker) {
	const n = 20
	server := named(t, "s")
	held := make(chan *bus.Request, n)
	serve(t, dial(t, b), server, func(r *bus.Request) { held <- r })
	c := dial(t, b)
	var calls []<-chan outcome
	for i := range n {
		calls = append(calls, start(within(t), c, server, "hold", i))
	}
	requests := make([]*bus.Request, n)
	for i := range n {
		requests[n-1-i] = take(t, held, "a request")
	}
	for _, r := range requests {
		r.Reply(r.Args[0])
	}
	for i, call := range calls {
		o := take(t, call, "an answer")
		if o.err != nil {
			t.Fatalf("call %d: %v", i, o.err)
		}
		wantJSON(t, string(o.data), i)
	}
}

// tracesGoOn: what a caller records, and how, reaches the server; another call has
// nothing of it.
func tracesGoOn(t *testing.T, b Broker) {
	server := named(t, "s")
	arrived := make(chan bus.TraceContext, 3)
	serve(t, dial(t, b), server, func(r *bus.Request) {
		arrived <- r.Trace
		r.Reply("ok")
	})
	c := dial(t, b)
	want := bus.TraceContext{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", State: "vendor=x"}
	ctx := want.In(within(t))
	if _, err := c.Call(ctx, server, "ask"); err != nil {
		t.Fatal(err)
	}
	if err := c.Cast(ctx, server, "tell"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := take(t, arrived, "a request"); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	mustCall(t, c, server, "ask")
	if got := take(t, arrived, "a request"); got != (bus.TraceContext{}) {
		t.Errorf("got %+v, want nothing", got)
	}
}

func argumentsArrive(t *testing.T, b Broker) {
	server := named(t, "s")
	serve(t, dial(t, b), server, func(r *bus.Request) { r.Reply(r.Args) })
	c := dial(t, b)
	raw := json.RawMessage(`{"b" : 1,  "a":[1.50, null]}`)
	got := mustCall(t, c, server, "list", "täxt \" \\ \u2028 <&>", 7, int64(-8), true, nil, raw, map[string]int{"x": 1})
	var args []json.RawMessage
	if err := json.Unmarshal([]byte(got), &args); err != nil || len(args) != 7 {
		t.Fatalf("answer %s: %v", got, err)
	}
	var text string
	if err := json.Unmarshal(args[0], &text); err != nil || text != "täxt \" \\ \u2028 <&>" {
		t.Errorf("text came as %q: %v", text, err)
	}
	if gotRaw := mustCall(t, echoConn(t, b, server+"2"), server+"2", "echo", raw); gotRaw != string(raw) {
		t.Errorf("raw JSON came back as %s, want %s", gotRaw, raw)
	}
}

// echoConn serves echo under the name and returns a Conn to call it from.
func echoConn(t testing.TB, b Broker, server string) bus.Conn {
	serve(t, dial(t, b), server, echo)
	return dial(t, b)
}

func emptyBodies(t *testing.T, b Broker) {
	server := named(t, "s")
	c := echoConn(t, b, server)
	wantJSON(t, mustCall(t, c, server, "echo"), nil)
	wantJSON(t, mustCall(t, c, server, "echo", ""), "")
	wantJSON(t, mustCall(t, c, server, "echo", []int{}), []int{})
	wantJSON(t, mustCall(t, c, server, "echo", struct{}{}), struct{}{})
}

func largeBodies(t *testing.T, b Broker) {
	server := named(t, "s")
	c := echoConn(t, b, server)
	text := strings.Repeat("0123456789abcdef", 1<<16)
	for range 5 {
		wantJSON(t, mustCall(t, c, server, "echo", text), text)
	}
	heard := make(chan json.RawMessage, 1)
	subscribe(t, dial(t, b), named(t, "t"), "#", func(_ string, body json.RawMessage) { heard <- body })
	mustPublish(t, c, named(t, "t"), "k", text)
	wantJSON(t, string(take(t, heard, "the notice")), text)
}

// counting sends the statuses 0 to 9 and then answers, or refuses.
func counting(r *bus.Request) {
	for i := range 10 {
		r.Status(i)
	}
	if r.Method == "fail" {
		r.Fail("enough")
		return
	}
	r.Reply("done")
	r.Status("too late")
}

func statusInOrder(t *testing.T, b Broker) {
	server := named(t, "s")
	serve(t, dial(t, b), server, counting)
	got, answer, err := callStatus(t, dial(t, b), server, "count")
	if err != nil || string(answer) != `"done"` || got != "0 1 2 3 4 5 6 7 8 9" {
		t.Fatalf("got statuses %q, answer %s, error %v", got, answer, err)
	}
}

func statusThenRefusal(t *testing.T, b Broker) {
	server := named(t, "s")
	serve(t, dial(t, b), server, counting)
	got, _, err := callStatus(t, dial(t, b), server, "fail")
	var refusal *bus.RemoteError
	if !errors.As(err, &refusal) || refusal.Reason != "enough" || got != "0 1 2 3 4 5 6 7 8 9" {
		t.Fatalf("got statuses %q, error %v", got, err)
	}
}

// callStatus returns the statuses, separated by spaces. They need no lock because
// all of them arrive before the call returns.
func callStatus(t testing.TB, c bus.Conn, server, method string) (string, json.RawMessage, error) {
	var got []string
	answer, err := c.CallStatus(within(t), server, method, func(s json.RawMessage) {
		got = append(got, string(s))
	})
	return strings.Join(got, " "), answer, err
}

func callIgnoresStatus(t *testing.T, b Broker) {
	server := named(t, "s")
	serve(t, dial(t, b), server, counting)
	wantJSON(t, mustCall(t, dial(t, b), server, "count"), "done")
}

func castIsNotAnswered(t *testing.T, b Broker) {
	server := named(t, "s")
	wanted := make(chan bool, 2)
	serve(t, dial(t, b), server, func(r *bus.Request) {
		wanted <- r.Wanted()
		r.Status(1)
		r.Reply(2)
		r.Fail("3")
	})
	c := dial(t, b)
	mustCast(t, c, server, "x", 1)
	if take(t, wanted, "the cast") {
		t.Error("Wanted is true for a cast")
	}
	wantJSON(t, mustCall(t, c, server, "x"), 2)
	if !take(t, wanted, "the call") {
		t.Error("Wanted is false for a call")
	}
	mustCast(t, c, named(t, "absent"), "x")
}

func replyFromAnyGoroutine(t *testing.T, b Broker) {
	server := named(t, "s")
	done := make(chan struct{}, 2)
	serve(t, dial(t, b), server, func(r *bus.Request) {
		for i := range 2 {
			go func() {
				r.Reply(i)
				done <- struct{}{}
			}()
		}
	})
	c := dial(t, b)
	got := mustCall(t, c, server, "x")
	if got != "0" && got != "1" {
		t.Fatalf("got %s", got)
	}
	take(t, done, "the first to answer")
	take(t, done, "the second to answer")
}

func unknownMethod(t *testing.T, b Broker) {
	server := named(t, "s")
	c := echoConn(t, b, server)
	_, err := c.Call(within(t), server, "nonsense")
	var refusal *bus.RemoteError
	if !errors.As(err, &refusal) || refusal.Reason != muster.ReasonUnsupported.Text {
		t.Fatalf("got %v, want the refusal %q", err, muster.ReasonUnsupported.Text)
	}
	if len(refusal.Detail) != 0 {
		t.Errorf("unasked detail %s", refusal.Detail)
	}
}

func emptyRefusal(t *testing.T, b Broker) {
	server := named(t, "s")
	serve(t, dial(t, b), server, func(r *bus.Request) { r.Fail("") })
	_, err := dial(t, b).Call(within(t), server, "x")
	var refusal *bus.RemoteError
	if !errors.As(err, &refusal) || refusal.Reason != "" {
		t.Fatalf("got %v, want an empty refusal", err)
	}
}

func refusalDetail(t *testing.T, b Broker) {
	server := named(t, "s")
	serve(t, dial(t, b), server, func(r *bus.Request) {
		r.RefuseDetail(muster.Reason{Code: "no-\"wörker\"", Text: "no \"wörker\""}, map[string]int{"excluded": 3})
	})
	_, err := dial(t, b).Call(within(t), server, "x")
	var refusal *bus.RemoteError
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal", err)
	}
	if refusal.Reason != "no \"wörker\"" || refusal.Code != "no-\"wörker\"" || string(refusal.Detail) != `{"excluded":3}` {
		t.Errorf("reason %q, code %q, detail %s", refusal.Reason, refusal.Code, refusal.Detail)
	}
}

func unencodableArgument(t *testing.T, b Broker) {
	c := dial(t, b)
	bad := make(chan int)
	if _, err := c.Call(within(t), named(t, "s"), "x", bad); err == nil {
		t.Error("Call encoded a channel")
	}
	if err := c.Cast(within(t), named(t, "s"), "x", bad); err == nil {
		t.Error("Cast encoded a channel")
	}
	if err := c.Publish(context.Background(), named(t, "t"), "x", bad); err == nil {
		t.Error("Publish encoded a channel")
	}
}

func answersSayTheTerm(t *testing.T, b Broker) {
	server := named(t, "s")
	serve(t, dial(t, b), server, func(r *bus.Request) {
		switch r.Method {
		case "led":
			r.Term(7)
			r.Reply("x")
		case "no":
			r.Term(1<<63 + 1)
			r.Fail("no")
		default:
			r.Reply("x")
		}
	})
	c := dial(t, b)
	var heard []uint64
	ctx := bus.OnTerm(within(t), func(term uint64) { heard = append(heard, term) })
	for _, method := range []string{"alone", "led", "no"} {
		if _, err := c.Call(ctx, server, method); (err != nil) != (method == "no") {
			t.Errorf("%s: %v", method, err)
		}
	}
	if want := []uint64{7, 1<<63 + 1}; !slices.Equal(heard, want) {
		t.Errorf("reported terms %v, want %v", heard, want)
	}
	mustCall(t, c, server, "led") // without OnTerm
}

func staleAnswersSaySo(t *testing.T, b Broker) {
	server := named(t, "s")
	serve(t, dial(t, b), server, func(r *bus.Request) {
		switch r.Method {
		case "old":
			r.Stale(1500 * time.Millisecond)
			r.Reply("x")
		case "no":
			r.Stale(time.Nanosecond)
			r.Fail("no")
		default:
			r.Reply("x")
		}
	})
	c := dial(t, b)
	var heard []time.Duration
	ctx := bus.OnStale(within(t), func(age time.Duration) { heard = append(heard, age) })
	for _, method := range []string{"new", "old", "no"} {
		raw, err := c.Call(ctx, server, method)
		if refused := err != nil; refused != (method == "no") || !refused && string(raw) != `"x"` {
			t.Errorf("%s is answered %s, %v", method, raw, err)
		}
	}
	if want := []time.Duration{1500 * time.Millisecond, time.Millisecond}; !slices.Equal(heard, want) {
		t.Errorf("reported ages %v, want %v", heard, want)
	}
	mustCall(t, c, server, "old") // without OnStale
}

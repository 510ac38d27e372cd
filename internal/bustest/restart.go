package bustest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
)

var restartCases = []testCase{
	{"BrokerGoneRefuses", brokerGone},
	{"BrokerRestartedTwiceUnderLoad", restartedUnderLoad},
}

// brokerGone: calls in flight, and calls made while the broker is gone, end with
// ErrDisconnected long before their deadlines. Late answers to calls from before do
// no harm, and a Conn closed in the meantime does not reconnect.
func brokerGone(t *testing.T, b Broker) {
	server := named(t, "s")
	held := make(chan *bus.Request, 10)
	owner, c, leaving := dial(t, b), dial(t, b), dial(t, b)
	serve(t, leaving, server+"gone", echo)
	subscribe(t, leaving, named(t, "t"), "#", func(string, json.RawMessage) {})
	serve(t, owner, server, func(r *bus.Request) {
		if r.Method == "hold" {
			held <- r
			return
		}
		echo(r)
	})
	status, ownerStatus, leavingStatus := watch(t, c), watch(t, owner), watch(t, leaving)
	var calls []<-chan outcome
	for range 10 {
		calls = append(calls, start(within(t), c, server, "hold"))
	}
	r := take(t, held, "a request")
	b.Stop(t)
	for _, call := range calls {
		wantOneOf(t, take(t, call, "the end of a call").err, bus.ErrDisconnected)
	}
	if s := await(t, status, false); s.Err == nil {
		t.Error("the status does not say why it is not connected")
	}
	await(t, ownerStatus, false)
	refusedWhileGone(t, c, server)
	await(t, leavingStatus, false)
	closedWhileGone(t, leaving, server)
	r.Status("into the void")
	b.Start(t)
	await(t, status, true)
	await(t, ownerStatus, true)
	r.Reply("to a caller of before")
	wantJSON(t, mustCall(t, c, server, "echo", 1), 1)
	if _, err := c.Call(briefly(t), server+"gone", "echo"); err == nil {
		t.Error("a Conn that was closed came back")
	}
}

func refusedWhileGone(t testing.TB, c bus.Conn, server string) {
	t.Helper()
	_, err := c.Call(within(t), server, "x")
	wantOneOf(t, err, bus.ErrDisconnected)
	wantOneOf(t, c.Cast(within(t), server, "x"), bus.ErrDisconnected)
	wantOneOf(t, c.Publish(within(t), "topic", "k", 1), bus.ErrDisconnected)
}

// restartedUnderLoad: each call ends by its deadline. Afterwards everything works
// as before, without intervention.
func restartedUnderLoad(t *testing.T, b Broker) {
	owner, c := dial(t, b), dial(t, b)
	l := &restartLoad{server: named(t, "s"), conn: c, stop: make(chan struct{})}
	serve(t, owner, l.server, echo)
	if err := serve(t, owner, l.server+"gone", echo).Close(); err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	c.Watch(func(bus.Status) { calls.Add(1) })() // stopped at once
	heard := make(chan string, 1000)
	subscribe(t, owner, named(t, "t"), "k.#", func(key string, _ json.RawMessage) { heard <- key })
	status, ownerStatus := watch(t, c), watch(t, owner)
	l.run(t, 16)
	l.waitForAnswers(t, 100)
	for range 2 {
		b.Stop(t)
		await(t, status, false)
		await(t, ownerStatus, false)
		b.Start(t)
		await(t, status, true)
		await(t, ownerStatus, true)
		l.waitForAnswers(t, l.answers.Load()+100)
	}
	close(l.stop)
	l.wg.Wait()
	wantJSON(t, mustCall(t, c, l.server, "echo", "after"), "after")
	mustPublish(t, c, named(t, "t"), "k.after", nil)
	if key := take(t, heard, "the notice"); key != "k.after" {
		t.Errorf("heard %q", key)
	}
	wantJSON(t, mustCall(t, owner, l.server, "echo", "self"), "self")
	if _, err := c.Call(briefly(t), l.server+"gone", "echo"); err == nil {
		t.Error("a closed service came back")
	}
	if calls.Load() != 1 {
		t.Error("a stopped watch was called")
	}
}

// restartLoad makes calls from many goroutines, whether or not they succeed.
type restartLoad struct {
	server  string
	conn    bus.Conn
	stop    chan struct{}
	wg      sync.WaitGroup
	answers atomic.Int64
	more    chan struct{}
}

func (l *restartLoad) run(t testing.TB, n int) {
	l.more = make(chan struct{}, 1)
	for range n {
		l.wg.Go(func() { l.work(t) })
	}
}

func (l *restartLoad) work(t testing.TB) {
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		default:
		}
		if !l.once(t, i) && !untilConnected(l.stop, l.conn) {
			return
		}
	}
}

// once makes a call, which must end by its deadline.
func (l *restartLoad) once(t testing.TB, i int) bool {
	const limit = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	raw, err := l.conn.Call(ctx, l.server, "echo", i)
	if deadline, _ := ctx.Deadline(); time.Since(deadline) > limit/2 {
		t.Errorf("a call outlived its deadline by more than %v", limit/2)
	}
	if err != nil {
		if !ended(err) {
			t.Errorf("call ended with %v", err)
		}
		return false
	}
	if want, _ := bus.EncodeArgs(i); string(raw) != string(want[0]) {
		t.Errorf("call %d was answered %s", i, raw)
	}
	l.answers.Add(1)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return true
}

// untilConnected waits until the connection is up. It returns false if stop was
// closed first.
func untilConnected(stop <-chan struct{}, c bus.Conn) bool {
	up := make(chan struct{}, 1000)
	end := c.Watch(func(s bus.Status) {
		if s.Connected {
			up <- struct{}{}
		}
	})
	defer end()
	select {
	case <-up:
		return true
	case <-stop:
		return false
	}
}

func (l *restartLoad) waitForAnswers(t testing.TB, n int64) {
	t.Helper()
	for l.answers.Load() < n {
		take(t, l.more, "answers")
	}
}

func closedWhileGone(t testing.TB, c bus.Conn, server string) {
	t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	take(t, closed, "Close")
	if _, err := c.Call(within(t), server, "x"); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

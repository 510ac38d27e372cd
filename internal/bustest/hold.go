package bustest

import (
	"strconv"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

// holdCases are for brokers that hold a request until it is acknowledged.
var holdCases = []testCase{
	{"LeaderDies", leaderDies},
	{"LeaderDiesWithCasts", leaderDiesWithCasts},
	{"LeadershipMovesUnderLoad", leadershipMoves},
	{"NameOutlivesMembers", nameOutlives},
	{"ClosedMemberHandsOn", closedHandsOn},
	{"HeldUntilSomebodyLeads", heldUntilLed},
	{"GiveBackReachesLeader", giveBackReachesLeader},
	{"FollowerKeepsWhatItHas", followerKeepsWhatItHas},
	{"DealtWithIsNotRepeated", dealtWith},
	{"RoleOutlivesConnection", roleOutlives},
}

// burst is how many requests may arrive at once without one of them going to a
// member that does not lead: RabbitMQ considers a consumer with 200 unsent messages
// inactive.
const burst = 160

// keep returns a handler that only stores requests.
func keep(n int) (chan *bus.Request, bus.Handler) {
	got := make(chan *bus.Request, n)
	return got, func(r *bus.Request) { got <- r }
}

func takeN(t testing.TB, got <-chan *bus.Request, n int) []*bus.Request {
	t.Helper()
	var all []*bus.Request
	for range n {
		all = append(all, take(t, got, "a request"))
	}
	return all
}

// through dials through a wire of its own.
func through(t testing.TB, b Broker) (bus.Conn, *Wire) {
	t.Helper()
	w := NewWire(t, b.Addr())
	c := b.DialAt(t, w.Addr())
	t.Cleanup(func() { closeOnce(t, c) })
	return c, w
}

// leaderDies with unanswered calls. The next leader answers each of them, and the
// dead one's answers are not delivered.
func leaderDies(t *testing.T, b Broker) {
	const n = burst
	server := named(t, "s")
	doomed, wire := through(t, b)
	got, h := keep(n)
	lead(t, join(t, doomed, server, h), 1)
	heirGot, h := keep(2 * n)
	heir := join(t, dial(t, b), server, h)
	c := dial(t, b)
	var calls []<-chan outcome
	for i := range n {
		calls = append(calls, start(within(t), c, server, "x", i))
	}
	lost := takeN(t, got, n)
	for _, r := range lost[:n/3] {
		r.Reply("answered while it lived")
	}
	wire.Cut()
	for _, r := range lost[n/3:] {
		r.Reply("answered too late")
	}
	lead(t, heir, 2)
	go func() {
		for r := range heirGot {
			r.Reply(r.Args[0])
		}
	}()
	defer close(heirGot)
	late := 0
	for i, call := range calls {
		o := take(t, call, "an answer")
		if o.err != nil {
			t.Fatalf("call %d: %v", i, o.err)
		}
		if string(o.data) == `"answered too late"` {
			late++
		} else if string(o.data) != `"answered while it lived"` {
			wantJSON(t, string(o.data), i)
		}
	}
	if late != 0 {
		t.Errorf("%d answers of a leader that was cut off arrived", late)
	}
	if err := heir.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// leaderDiesWithCasts that were not handled.
func leaderDiesWithCasts(t *testing.T, b Broker) {
	const n = burst
	server := named(t, "s")
	doomed, wire := through(t, b)
	got, h := keep(n)
	lead(t, join(t, doomed, server, h), 1)
	heirGot, h := keep(2 * n)
	heir := join(t, dial(t, b), server, h)
	c := dial(t, b)
	for i := range n {
		mustCast(t, c, server, "x", i)
	}
	takeN(t, got, n)
	wire.Cut()
	lead(t, heir, 2)
	seen := map[string]bool{}
	for _, r := range takeN(t, heirGot, n) {
		seen[string(r.Args[0])] = true
		r.Done()
	}
	if len(seen) != n {
		t.Errorf("%d different casts arrived, want %d", len(seen), n)
	}
}

// leadershipMoves back and forth during calls, and each is answered. A member that
// does not lead gives back what it gets.
func leadershipMoves(t *testing.T, b Broker) {
	server := named(t, "s")
	var members []bus.GroupMember
	for range 2 {
		members = append(members, join(t, dial(t, b), server, sometimes()))
	}
	lead(t, members[1], 1)
	l := startLoad(t, dial(t, b), server)
	for i := range 20 {
		lead(t, members[i%2], uint64(i+2))
		follow(t, members[(i+1)%2])
		l.waitForAnswers(t, l.answers.Load()+20)
	}
	l.end()
}

// sometimes returns a handler that gives back every seventh request.
func sometimes() bus.Handler {
	n := 0
	return func(r *bus.Request) {
		if n++; n%7 != 0 || !r.GiveBack() {
			echo(r)
		}
	}
}

// nameOutlives: members join, lead, and leave with unanswered requests, while one
// stays. The name always exists, and all calls are answered.
func nameOutlives(t *testing.T, b Broker) {
	server := named(t, "s")
	lead(t, join(t, dial(t, b), server, echo), 1)
	l := startLoad(t, dial(t, b), server)
	for i := range 10 {
		got, h := keep(1 << 16)
		guest := join(t, dial(t, b), server, h)
		lead(t, guest, uint64(i+2))
		take(t, got, "a request") // more of them wait, one for each caller
		if err := guest.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		l.waitForAnswers(t, l.answers.Load()+20)
	}
	l.end()
}

// closedHandsOn: a member answers every second of its requests and is closed. The
// others go to the next member, and later answers of the first are not sent.
func closedHandsOn(t *testing.T, b Broker) {
	const n = 20
	server, conn, c := named(t, "s"), dial(t, b), dial(t, b)
	serve(t, conn, server+"other", echo)
	got, h := keep(2 * n)
	closed := join(t, conn, server, h)
	lead(t, closed, 1)
	nextGot, h := keep(2 * n)
	next := join(t, dial(t, b), server, h)
	var calls []<-chan outcome
	for range n {
		calls = append(calls, start(within(t), c, server, "x"))
	}
	var open []*bus.Request
	for i, r := range takeN(t, got, n) {
		r.Status("working on it")
		if i%2 == 1 {
			r.Reply("first")
		} else {
			open = append(open, r)
		}
	}
	if err := closed.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	lead(t, next, 2)
	again := takeN(t, nextGot, n/2)
	for _, r := range open {
		r.Reply("too late")
	}
	// Everything sent on that connection has arrived when this is answered.
	mustCall(t, conn, server+"other", "echo")
	for _, r := range again {
		r.Reply("next")
	}
	answers := map[string]int{}
	for _, call := range calls {
		o := take(t, call, "the answer")
		if o.err != nil {
			t.Fatal(o.err)
		}
		answers[string(o.data)]++
	}
	if answers[`"first"`] != n/2 || answers[`"next"`] != n/2 || len(nextGot) != 0 {
		t.Errorf("answers %v, and %d requests too many", answers, len(nextGot))
	}
}

// startLoad makes calls from 16 goroutines until end. Each must be answered.
func startLoad(t testing.TB, c bus.Conn, server string) *steadyLoad {
	l := &steadyLoad{restartLoad{server: server, conn: c, stop: make(chan struct{}), more: make(chan struct{}, 1)}}
	for range 16 {
		l.wg.Go(func() { l.work(t) })
	}
	l.waitForAnswers(t, 100)
	return l
}

// steadyLoad is a restartLoad in which no call may fail.
type steadyLoad struct{ restartLoad }

func (l *steadyLoad) work(t testing.TB) {
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		default:
		}
		if !l.once(t, i) {
			t.Errorf("call %d failed", i)
			return
		}
	}
}

func (l *steadyLoad) end() {
	close(l.stop)
	l.wg.Wait()
}

// heldUntilLed: while there is no leader, requests wait at the broker. The first
// leader gets all of them, in order.
func heldUntilLed(t *testing.T, b Broker) {
	const n = 500
	server := named(t, "s")
	otherGot, h := keep(n)
	join(t, dial(t, b), server, h)
	got, h := keep(2 * n)
	leader := join(t, dial(t, b), server, h)
	c := dial(t, b)
	for i := range n {
		mustCast(t, c, server, "x", i)
	}
	// Everything sent on that connection has arrived when this is answered.
	serve(t, c, server+"other", echo)
	mustCall(t, c, server+"other", "echo")
	if len(otherGot)+len(got) != 0 {
		t.Errorf("%d requests reached members that do not lead", len(otherGot)+len(got))
	}
	lead(t, leader, 1)
	for i := range n {
		r := take(t, got, "a request")
		wantJSON(t, string(r.Args[0]), i)
		r.Done()
	}
	if len(otherGot) != 0 {
		t.Errorf("%d requests reached a member that does not lead", len(otherGot))
	}
}

// giveBackReachesLeader from a former leader. Later uses of the request have no
// effect.
func giveBackReachesLeader(t *testing.T, b Broker) {
	server := named(t, "s")
	got, h := keep(9)
	old := join(t, dial(t, b), server, h)
	lead(t, old, 1)
	call := start(within(t), dial(t, b), server, "x")
	r := take(t, got, "the request")
	follow(t, old)
	leaderGot, h := keep(9)
	leader := join(t, dial(t, b), server, h)
	lead(t, leader, 2)
	if !r.GiveBack() || r.GiveBack() {
		t.Error("a request was given back twice")
	}
	r.Reply("too late")
	r.Fail("too late")
	r.Done()
	take(t, leaderGot, "the request that was given back").Reply("leader")
	wantJSON(t, string(take(t, call, "the answer").data), "leader")
}

// followerKeepsWhatItHas: a former leader may still answer the requests that it
// got. If it gives one back, the next leader gets it before later ones.
func followerKeepsWhatItHas(t *testing.T, b Broker) {
	server, c := named(t, "s"), dial(t, b)
	got, h := keep(9)
	old := join(t, dial(t, b), server, h)
	lead(t, old, 1)
	first := start(within(t), c, server, "x")
	answered := take(t, got, "the first request")
	second := start(within(t), c, server, "x")
	take(t, got, "the second request")
	follow(t, old)
	later := start(within(t), c, server, "x")
	answered.Reply("old")
	wantJSON(t, string(take(t, first, "the answer").data), "old")
	freshGot, h := keep(9)
	fresh := join(t, dial(t, b), server, h)
	if err := old.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	lead(t, fresh, 2)
	take(t, freshGot, "the request that was kept").Reply("kept")
	take(t, freshGot, "the request that came later").Reply("later")
	wantJSON(t, string(take(t, second, "the answer").data), "kept")
	wantJSON(t, string(take(t, later, "the answer").data), "later")
}

// dealtWith: requests that were answered, done or refused do not go to the next
// leader.
func dealtWith(t *testing.T, b Broker) {
	const n = burst / 4
	server, c := named(t, "s"), dial(t, b)
	var served sync.WaitGroup
	served.Add(4*n + 1)
	first := join(t, dial(t, b), server, func(r *bus.Request) {
		defer served.Done()
		switch r.Method {
		case "cast":
			r.Done()
		case "castReplied":
			r.Reply(nil)
		case "refused":
			r.Fail("no")
		default:
			echo(r)
		}
	})
	got, h := keep(9)
	second := join(t, dial(t, b), server, h)
	lead(t, first, 1)
	for i := range n {
		mustCast(t, c, server, "cast", i)
		mustCast(t, c, server, "castReplied", i)
		_ = start(within(t), c, server, "refused", i)
		_ = start(within(t), c, server, "echo", i)
	}
	b.Send(t, server, []byte(`{"method":7}`))
	mustCall(t, c, server, "echo")
	served.Wait()
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	lead(t, second, 2)
	mustCast(t, c, server, "last")
	if r := take(t, got, "the next request"); r.Method != "last" {
		t.Errorf("%s was delivered again", r.Method)
	}
}

// roleOutlives: a leader whose connection broke leads again. Its requests are
// delivered again, and answers to the former deliveries have no effect. One that
// was answered may come again, too: the connection can break before the broker
// knows that it is dealt with.
func roleOutlives(t *testing.T, b Broker) {
	server := named(t, "s")
	conn, wire := through(t, b)
	got, h := keep(9)
	lead(t, join(t, conn, server, h), 1)
	join(t, dial(t, b), server, func(r *bus.Request) { r.GiveBack() })
	status := watch(t, conn)
	c := dial(t, b)
	for i := range 3 {
		call := start(within(t), c, server, "x", i)
		before := takeCall(t, got, i)
		wire.Tear()
		await(t, status, false)
		await(t, status, true)
		again := takeCall(t, got, i)
		before.Reply("stale")
		before.GiveBack()
		again.Reply("fresh")
		o := take(t, call, "the answer")
		if o.err != nil {
			t.Fatal(o.err)
		}
		wantJSON(t, string(o.data), "fresh")
	}
}

// takeCall returns the request with that argument, and answers those that come
// before it.
func takeCall(t *testing.T, got <-chan *bus.Request, arg int) *bus.Request {
	t.Helper()
	for {
		r := take(t, got, "a request")
		if len(r.Args) == 1 && string(r.Args[0]) == strconv.Itoa(arg) {
			return r
		}
		r.Reply("again")
	}
}

package manager

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// sent is a call of that caller, with a body of that size.
func sent(from, method string, bytes int) item {
	req := bus.NewRequest(bus.Call{Method: method}, func(bus.Reply) {})
	req.From, req.Size = from, bytes
	return item{act: doNothing, req: req}
}

// sign is a keep-alive.
func sign(worker string) item {
	it := sent("fleet", "keepAlive", 100)
	it.req.Args = bus.Args{json.RawMessage(`"` + worker + `"`)}
	return it
}

// mustPut adds all of them.
func mustPut(t *testing.T, b *inbox, items ...item) {
	t.Helper()
	for _, it := range items {
		if _, ok := b.put(it); !ok {
			t.Fatalf("no room for a %s of %s", it.req.Method, it.req.From)
		}
	}
}

// fill adds requests until one finds no room, and returns how many did.
func fill(b *inbox, it item) (n int) {
	for {
		if _, ok := b.put(it); !ok {
			return n
		}
		n++
	}
}

var everything = size{1 << 20, 1 << 30}

func TestInboxKeepsTheOrderOfFew(t *testing.T) {
	b := newInbox()
	var want []string
	for i := range orderedRoom.requests {
		method := fmt.Sprint(i)
		mustPut(t, b, sent(fmt.Sprint("caller", i%7), method, 100))
		want = append(want, method)
	}
	<-b.ready
	got, more := b.take(everything)
	if !slices.Equal(methodsOf(got), want) || more {
		t.Errorf("came as %v, more %v", methodsOf(got), more)
	}
	if got, more := b.take(everything); len(got) > 0 || more {
		t.Errorf("then came %d, more %v", len(got), more)
	}
}

// A load that is reported after a worker joined and before a task is asked for
// counts for that task: within a batch signs of life pass nothing.
func TestSignsOfLifeKeepTheirPlaceInABatch(t *testing.T) {
	b := newInbox()
	mustPut(t, b, sent("agent", "join", 100), sign("w-1"), sent("caller", "schedule", 100), sign("w-2"))
	got, _ := b.take(everything)
	if want := []string{"join", "keepAlive", "schedule", "keepAlive"}; !slices.Equal(methodsOf(got), want) {
		t.Errorf("came as %v, want %v", methodsOf(got), want)
	}
	mustPut(t, b, sent("agent", "join", 100), sent("caller", "schedule", 100), sign("w-1"))
	got, more := b.take(size{1, 1 << 20})
	if want := []string{"join", "keepAlive"}; !slices.Equal(methodsOf(got), want) || !more {
		t.Errorf("with room for one, %v came, more %v", methodsOf(got), more)
	}
}

// Also where much waits, a caller's requests keep their order.
func TestInboxKeepsTheOrderOfACaller(t *testing.T) {
	b := newInbox()
	for i := range callerRoom.requests {
		mustPut(t, b, sent(fmt.Sprint(i%3), fmt.Sprint(i), 100))
	}
	last := map[string]int{}
	for n := 0; n < callerRoom.requests; {
		batch, _ := b.take(size{100, 1 << 20})
		for _, it := range batch {
			var i int
			fmt.Sscan(it.req.Method, &i)
			if before, ok := last[it.req.From]; ok && i <= before {
				t.Fatalf("caller %s: %d came after %d", it.req.From, i, before)
			}
			last[it.req.From] = i
		}
		n += len(batch)
	}
}

func TestInboxIsBoundedByBytes(t *testing.T) {
	b := newInbox()
	const body = 8 << 20
	if n := fill(b, sent("flood", "schedule", body)); n*body > callerRoom.bytes+body {
		t.Errorf("%d MiB of one caller wait", n*8)
	}
	for i := range 100 {
		fill(b, sent(fmt.Sprint(i), "schedule", body))
	}
	got, _ := b.take(everything)
	if most := inboxRoom.bytes + body; len(got)*body > most {
		t.Errorf("%d MiB wait, want at most %d", len(got)*8, most>>20)
	}
}

func TestInboxIsBoundedByNumber(t *testing.T) {
	b := newInbox()
	if n := fill(b, sent("flood", "schedule", 100)); n > callerRoom.requests+orderedRoom.requests {
		t.Errorf("%d of one caller wait", n)
	}
	var signs int
	for i := range 1000 {
		signs += fill(b, sign(fmt.Sprint("worker", i)))
	}
	if signs > signRoom.requests {
		t.Errorf("%d signs of life wait", signs)
	}
}

// Whatever else waits, signs of life find room, and come with the next batch,
// though nothing else can be decided.
func TestSignsOfLifePassEverythingElse(t *testing.T) {
	b := newInbox()
	for i := range 100 {
		fill(b, sent(fmt.Sprint(i), "schedule", 100))
	}
	fill(b, sign("flood"))
	mustPut(t, b, sign("honest"))
	batch, _ := b.take(size{})
	if len(batch) == 0 || batch[len(batch)-1].req.Args[0][1] != 'h' {
		t.Errorf("%d came, without the honest one", len(batch))
	}
}

// A sign of life cannot carry a flood of bytes past the bounds.
func TestALargeSignOfLifeHasNoLane(t *testing.T) {
	b := newInbox()
	fill(b, sent("flood", "keepAlive", 8<<20))
	if batch, _ := b.take(size{}); len(batch) > 0 {
		t.Errorf("%d came as signs of life", len(batch))
	}
}

func TestAFloodOfOneCallerDelaysNobodyElse(t *testing.T) {
	b := newInbox()
	fill(b, sent("flood", "schedule", 200))
	for i := range 20 {
		mustPut(t, b, sent(fmt.Sprint("honest", i), "schedule", 200))
	}
	b.take(orderedRoom) // those that came before anybody waited
	batch, _ := b.take(size{200, 1 << 20})
	honest := 0
	for _, it := range batch {
		if it.req.From != "flood" {
			honest++
		}
	}
	if honest != 20 {
		t.Errorf("%d of 20 honest calls came with the first 200", honest)
	}
}

// What a caller's requests cost counts, and not how many they are.
func TestLargeRequestsTakeTurnsByTheirCost(t *testing.T) {
	b := newInbox()
	fill(b, sent("flood", "schedule", 1<<20))
	for i := range 100 {
		mustPut(t, b, sent("honest", fmt.Sprint(i), 200))
	}
	large, small := 0, 0
	for small < 100 {
		batch, _ := b.take(size{100, 64 << 10})
		for _, it := range batch {
			if it.req.From == "honest" {
				small++
			} else {
				large++
			}
		}
	}
	if large > 2 {
		t.Errorf("%d MiB came before 100 small requests", large)
	}
}

// Where callers take all the room together, who needs little still finds some.
func TestWhoTakesMostMakesRoom(t *testing.T) {
	b := newInbox()
	for i := range 64 {
		fill(b, sent(fmt.Sprint("flood", i), "schedule", 200))
	}
	honest := sent("honest", "schedule", 200)
	left, _ := b.put(honest)
	if left.req == honest.req || !strings.HasPrefix(left.req.From, "flood") {
		t.Errorf("left out was one of %s", left.req.From)
	}
}

// A worker whose report was dropped tells all of it again.
func TestAWorkerWhoseReportIsDroppedRejoins(t *testing.T) {
	c := newTestCore()
	ask(t, c, "join", `["video","w1",{"purpose":"video"}]`)
	dropped := bus.NewRequest(bus.Call{Method: "pickUpTasks", Args: argsOf(t, `["w1",["a"]]`)}, nil)
	c.reject(dropped)
	c.step((*core).work)
	expect(t, ask(t, c, "keepAlive", `["w1"]`), `{"data":"whoareyou","type":"callback"}`)
	expect(t, ask(t, c, "keepAlive", `["w1"]`), `{"data":"ok","type":"callback"}`)
}

// slowReplica decides nothing until it is told to.
type slowReplica struct {
	*replica.Local
	waiting []replica.Proposal
}

func (u *slowReplica) Propose(batch ...replica.Proposal) { u.waiting = append(u.waiting, batch...) }
func (u *slowReplica) Read(f func(*state.State, error))  { f(u.State(), nil) }

// What waits for a decision cannot be put into a fair order any more. So it is
// bounded, and the next ones wait in the inbox.
func TestDecisionsUnderWayAreBounded(t *testing.T) {
	c := newTestCore()
	u := &slowReplica{Local: replica.NewLocal(c.opts.Placement)}
	c.replica = u
	for i := range 3000 {
		req := bus.NewRequest(bus.Call{Method: "schedule", Args: argsOf(t, fmt.Sprintf(`["video","t%d"]`, i))}, nil)
		req.From = "flood"
		c.handle(req)
	}
	step := func(in input) {
		c.step(in)
		for c.more && c.hasRoom() {
			<-c.inbox.ready
			c.step((*core).work)
		}
	}
	step((*core).work)
	if n := len(u.waiting); n != decidingRoom.requests {
		t.Errorf("%d are being decided, want %d", n, decidingRoom.requests)
	}
	first := u.waiting
	u.waiting = nil
	step(func(*core) { u.Local.Propose(first...) })
	if n := len(u.waiting); n != decidingRoom.requests {
		t.Errorf("then %d are being decided, want %d", n, decidingRoom.requests)
	}
	if c.deciding.requests != decidingRoom.requests {
		t.Errorf("counted as %d", c.deciding.requests)
	}
}

func BenchmarkInbox(b *testing.B) {
	box := newInbox()
	it := sent("muster.reply.abcdefgh", "schedule", 200)
	b.ReportAllocs()
	for b.Loop() {
		for range 64 {
			box.put(it)
		}
		box.take(everything)
	}
}

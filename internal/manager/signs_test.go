package manager

import (
	"fmt"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// cast makes a cast of the core, and does not flush.
func castTo(t *testing.T, c *core, method, args string) {
	t.Helper()
	act, err := decode(method, argsOf(t, args))
	if err != nil {
		t.Fatal(err)
	}
	act(c, bus.NewRequest(bus.Call{Method: method}, nil))
}

func TestKeepAliveWithLoad(t *testing.T) {
	c := newTestCore()
	expect(t, ask(t, c, "keepAlive", `["v-1",0.25]`), `{"data":"whoareyou","type":"callback"}`)
	ask(t, c, "join", `["video","v-1",`+testInfo+`]`)
	expect(t, ask(t, c, "keepAlive", `["v-1",0.25]`), `{"data":"ok+load","type":"callback"}`)
	if w, _ := c.stateNow().Worker("v-1"); w.Load != 0.25 {
		t.Errorf("the load is %v, want 0.25", w.Load)
	}
	expect(t, ask(t, c, "keepAlive", `["v-1"]`), `{"data":"ok","type":"callback"}`) // OWT's
	for _, args := range []string{`["v-1",-1]`, `["v-1","high"]`} {
		if _, err := decode("keepAlive", argsOf(t, args)); err == nil {
			t.Errorf("keepAlive%s is taken", args)
		}
	}
}

// Whatever a worker says is a sign of life; what others say of it is none.
func TestEveryMessageOfAWorkerIsASignOfLife(t *testing.T) {
	for method, args := range map[string]string{
		"keepAlive": `["v-1"]`, "reportLoad": `["v-1",0.1]`, "reportState": `["v-1",2]`, "pickUpTasks": `["v-1",["t"]]`,
		"layDownTask": `["v-1","t"]`, "claimTask": `["v-1",{"task":"t"}]`, "checkWorker": `["v-1",{}]`,
		"schedule": `["video","t"]`, "unschedule": `["v-1","t"]`, "getTasks": `["v-1"]`, "why": `["video","t"]`,
	} {
		t.Run(method, func(t *testing.T) {
			c := newTestCore()
			ask(t, c, "join", `["video","v-1",`+testInfo+`]`)
			for range c.opts.CheckAliveCount {
				c.step((*core).countSilence)
			}
			ask(t, c, method, args)
			c.step((*core).countSilence)
			fromOthers := map[string]bool{"schedule": true, "unschedule": true, "getTasks": true, "why": true}
			if alive := c.stateNow().Has("v-1"); alive == fromOthers[method] {
				t.Errorf("after its allowance of silence and a %s, known: %v", method, alive)
			}
			ask(t, c, "reportLoad", `["nobody",0.5]`)
			if c.alive.Absent("nobody") != 0 || c.stateNow().Has("nobody") {
				t.Error("an unknown worker became known by its load")
			}
		})
	}
}

// A load that says nothing new is not replicated; one that is the same number but
// settles a debit, or follows something that is not decided yet, is.
func TestUnchangedLoadIsNotReplicated(t *testing.T) {
	c := newTestCore()
	ask(t, c, "join", `["video","v-1",`+testInfo+`]`)
	proposals := func(method, args string) int {
		castTo(t, c, method, args)
		n := len(c.pending)
		c.flush()
		return n
	}
	steps := []struct {
		method, args string
		want         int
	}{
		{"reportLoad", `["v-1",0.1]`, 1},
		{"reportLoad", `["v-1",0.1]`, 0},
		{"keepAlive", `["v-1",0.1]`, 0},
		{"keepAlive", `["v-1",0.2]`, 1},
		{"pickUpTasks", `["v-1",["t"]]`, 1},
		{"reportLoad", `["v-1",0.2]`, 1}, // what t adds is in it
		{"reportLoad", `["v-1",0.2]`, 0},
		{"layDownTask", `["v-1","t"]`, 1},
		{"reportLoad", `["v-1",0.2]`, 1}, // the next report is of a worker without t
		{"reportLoad", `["v-1",0.2]`, 0},
	}
	for i, step := range steps {
		if got := proposals(step.method, step.args); got != step.want {
			t.Errorf("step %d, %s%s: %d commands, want %d", i, step.method, step.args, got, step.want)
		}
	}
}

// slowly is a replica that decides when it is told to, as several managers do.
type slowly struct {
	*replica.Local
	waiting []replica.Proposal
}

func (r *slowly) Propose(batch ...replica.Proposal) { r.waiting = append(r.waiting, batch...) }

func (r *slowly) decide() {
	waiting := r.waiting
	r.waiting = nil
	r.Local.Propose(waiting...)
}

// The state that a load is held against is not the one that it will change: what
// is under way counts.
func TestLoadsUnderWayCount(t *testing.T) {
	c := newTestCore()
	r := &slowly{Local: replica.NewLocal(c.opts.Placement)}
	c.replica = r
	say := func(method, args string) {
		castTo(t, c, method, args)
		c.flush()
	}
	say("join", `["video","v-1",`+testInfo+`]`)
	say("reportLoad", `["v-1",0.1]`) // it is not known yet
	r.decide()
	say("reportLoad", `["v-1",0.3]`)
	say("reportLoad", `["v-1",0.1]`) // as the state has it, but not for long
	say("keepAlive", `["v-1",0.1]`)
	r.decide()
	if w, _ := r.State().Worker("v-1"); w.Load != 0.1 {
		t.Errorf("the load is %v, want 0.1, the last one reported", w.Load)
	}
	say("pickUpTasks", `["v-1",["t"]]`)
	say("keepAlive", `["v-1",0.1]`)
	r.decide()
	if r.State().TellsLoad("v-1", 0.1) {
		t.Error("the load that came after the pick-up was left out")
	}
	if len(c.signs.undecided) != 0 {
		t.Errorf("undecided: %v", c.signs.undecided)
	}
	say("reportLoad", `["v-1",0.1]`)
	if len(r.waiting) != 0 {
		t.Errorf("%d commands for a load that is known", len(r.waiting))
	}
}

// BenchmarkSigns is what a sign of life costs the manager, without the queue.
func BenchmarkSigns(b *testing.B) {
	const fleet = 10_000
	c := newTestCore()
	workers := make([]string, fleet)
	for i := range workers {
		workers[i] = fmt.Sprintf("v-%d", i)
		c.propose(nil, state.Join{Purpose: "video", Worker: workers[i], Info: muster.Info{MaxLoad: 1}}, nil)
		c.flush()
		c.report(workers[i], 0.25)
	}
	c.flush()
	answer := func(bus.Reply) {}
	for _, ways := range []string{"one", "two"} {
		b.Run(ways, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				w := workers[i%fleet]
				if ways == "one" {
					c.keepAliveWithLoad(bus.NewRequest(bus.Call{}, answer), w, 0.25)
				} else {
					c.keepAlive(bus.NewRequest(bus.Call{}, answer), w)
					c.reportLoad(bus.NewRequest(bus.Call{}, nil), w, 0.25)
				}
			}
			c.flush()
		})
	}
}

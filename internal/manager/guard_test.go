package manager

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// newLeader is a core that leads, and logs to out.
func newLeader(out *bytes.Buffer) *core {
	opts := DefaultOptions()
	opts.Logger = slog.New(slog.NewTextHandler(out, nil))
	c, _ := newScene(opts)
	return c
}

// answered returns a request, and where its answer will be.
func answered(method string, args ...any) (*bus.Request, *string) {
	encoded, err := bus.EncodeArgs(args...)
	if err != nil {
		panic(err)
	}
	answer := new(string)
	return bus.NewRequest(bus.Call{Method: method, Args: encoded}, func(r bus.Reply) { *answer = string(bus.AppendReply(nil, r)) }), answer
}

func TestPanicCostsItsRequestOnly(t *testing.T) {
	bad := map[string]action{
		"while it is done": func(*core, *bus.Request) { panic("planted") },
		"while it is answered": func(c *core, req *bus.Request) {
			c.propose(req, state.Expire{}, func(state.Result) { panic("planted") })
		},
		"while it is looked up": func(c *core, req *bus.Request) {
			c.lookUp(req, func(*state.State) { panic("planted") })
		},
	}
	for when, act := range bad {
		t.Run(when, func(t *testing.T) {
			var out bytes.Buffer
			c := newLeader(&out)
			before, first := answered("join", "video", "w-1", info)
			culprit, refused := answered("bogus")
			after, last := answered("getWorkers", "video")
			c.handle(before)
			for range 3 {
				c.inbox.put(item{act: act, req: culprit})
			}
			c.handle(after)
			c.step((*core).work)
			if *first == "" || !strings.Contains(*last, "w-1") {
				t.Errorf("requests around it are answered %q and %q", *first, *last)
			}
			if !strings.Contains(*refused, "internal error") {
				t.Errorf("it is answered %q", *refused)
			}
			if n := valueOf(t, c.measures.panics); n != 3 {
				t.Errorf("%v panics are counted, want 3", n)
			}
			if n := strings.Count(out.String(), "planted"); n != 1 {
				t.Errorf("logged %d times, want once:\n%s", n, out.String())
			}
		})
	}
}

func TestPanicWhileARequestIsReadCostsItOnly(t *testing.T) {
	methods["planted"] = acts(func(*reader) action { panic("planted") })
	defer delete(methods, "planted")
	c := newLeader(new(bytes.Buffer))
	req, refused := answered("planted")
	c.handle(req)
	if !strings.Contains(*refused, "internal error") {
		t.Errorf("it is answered %q", *refused)
	}
}

// A change that a panic left half made must not be served.
func TestPanicInsideTheStateIsNotEnded(t *testing.T) {
	c := newLeader(new(bytes.Buffer))
	c.replica = holding{c.replica, new(state.State)} // not made by New: a join panics
	c.propose(nil, state.Join{Purpose: "video", Worker: "w", Info: muster.Info{MaxLoad: 1}}, nil)
	defer func() {
		if recover() == nil || !c.replica.State().Torn() {
			t.Error("the manager goes on with a state that is torn")
		}
	}()
	c.guard(nil, "act", c.flush)
}

// valueOf is the value of a counter.
func valueOf(t *testing.T, counter prometheus.Counter) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(counter)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

var badNames = []string{"\xff\xfe", "a\nb", "a\x00b", "a\u0085b", strings.Repeat("x", muster.MaxTask+1)}

// A name that an older manager let into the state must not take the metrics
// away.
func TestMetricsOfAStateWithBadNames(t *testing.T) {
	old := state.New(state.DefaultConfig())
	for _, name := range append(badNames, "\xfe\xff", "other") {
		old.Apply(state.Command{At: 1, Op: state.Join{Purpose: name, Worker: name, Info: muster.Info{MaxLoad: 1, Labels: map[string]string{name: name}}}})
		old.Apply(state.Command{At: 1, Op: state.PickUpTasks{Worker: name, Tasks: []string{name}}})
	}
	restored, err := state.Restore(old.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	c := newLeader(new(bytes.Buffer))
	c.replica = holding{c.replica, restored}
	for _, name := range badNames {
		c.reportLoad(bus.NewRequest(bus.Call{}, nil), name, 0.5)
		c.schedule(bus.NewRequest(bus.Call{}, nil), state.Schedule{Purpose: name, Task: "t"}, wanted{})
	}
	c.propose(nil, state.Quit{Worker: badNames[0]}, nil)
	c.flush()
	registry := prometheus.NewRegistry()
	now := c.snapshot()
	registry.MustRegister(collectorOf(func(out chan<- prometheus.Metric) {
		for _, counted := range c.measures.all() {
			counted.Collect(out)
		}
		now.collect(out)
	}))
	if _, err := registry.Gather(); err != nil {
		t.Errorf("a scrape fails: %v", err)
	}
}

// holding is a replica that has a state of its own.
type holding struct {
	replica.Replica
	state *state.State
}

func (h holding) State() *state.State { return h.state }

func (h holding) Propose(batch ...replica.Proposal) {
	for _, p := range batch {
		result, events := h.state.Apply(p.Command)
		p.Done(result, events, nil)
	}
}

type collectorOf func(chan<- prometheus.Metric)

func (collectorOf) Describe(chan<- *prometheus.Desc)       {}
func (f collectorOf) Collect(out chan<- prometheus.Metric) { f(out) }

package manager

import (
	"bytes"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

// FuzzNames holds that no name can harm a manager behind the decoder, either:
// what decode lets through is applied, answered, counted, scraped, and comes back
// from a snapshot.
func FuzzNames(f *testing.F) {
	for _, name := range badNames {
		f.Add(name, name, name, name, name)
		f.Add("video", "w", "t", name, "v")
	}
	f.Add("video", "w-1@10.0.0.1", "room", "gpu", "a100")
	f.Add("other", "all", "\u2028", "\ufffd", "")
	f.Fuzz(func(t *testing.T, purpose, worker, task, key, value string) {
		c := newLeader(new(bytes.Buffer))
		for _, method := range []string{
			"join", "reportState", "reportLoad", "keepAlive", "schedule", "scheduleMany", "pickUpTasks", "schedule", "getScheduled", "why", "getWorkerAttr",
			"getWorkers", "getTasks", "listWorkers", "listTasks", "status", "layDownTask", "unschedule", "schedule",
		} {
			c.fuzzed(t, method, purpose, worker, task, key, value)
		}
		c.scraped(t)
		c.restored(t)
		c.fuzzed(t, "quit", purpose, worker, task, key, value)
		c.scraped(t)
		if n := valueOf(t, c.measures.panics); n > 0 {
			t.Errorf("%v panics", n)
		}
	})
}

// fuzzed makes a request of texts that may be anything.
func (c *core) fuzzed(t *testing.T, method, purpose, worker, task, key, value string) {
	p, w, name := string(anyText(purpose)), string(anyText(worker)), string(anyText(task))
	labels := `{"labels":{` + string(anyText(key)) + `:` + string(anyText(value)) + `},"isp":` + string(anyText(value)) + `}`
	args := map[string]string{
		"join":        p + `,` + w + `,` + labels[:len(labels)-1] + `,"maxLoad":0.9,"capacity":{"isps":[` + string(anyText(value)) + `],"regions":[]}}`,
		"reportState": w + `,2`, "reportLoad": w + `,0.1`, "keepAlive": w, "quit": w,
		"schedule": p + `,` + name + `,` + labels + `,1000,{"explain":true}`, "pickUpTasks": w + `,[` + name + `]`,
		"scheduleMany": `[{"purpose":` + p + `,"task":` + name + `,"preference":` + labels + `}],{"explain":true}`,
		"layDownTask":  w + `,` + name, "unschedule": w + `,` + name, "getScheduled": p + `,` + name, "why": p + `,` + name,
		"getWorkerAttr": w, "getTasks": w, "getWorkers": p, "listWorkers": p, "listTasks": p,
	}[method]
	call, err := bus.ParseCall([]byte(`{"method":"` + method + `","args":[` + args + `],"corrID":1}`))
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	answers := 0
	req := bus.NewRequest(call, func(r bus.Reply) {
		answers++
		if _, err := bus.ParseReply(bus.AppendReply(nil, r)); err != nil {
			t.Fatalf("%s(%q) is answered what cannot be read: %v", method, args, err)
		}
	})
	c.handle(req)
	c.step((*core).work)
	if answers != 1 {
		t.Fatalf("%s(%q) is answered %d times", method, args, answers)
	}
}

// anyText is a JSON string with these bytes, whatever they are.
func anyText(s string) []byte {
	return quoted(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
}

func (c *core) scraped(t *testing.T) {
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

func (c *core) restored(t *testing.T) {
	s := c.replica.State()
	again, err := state.Restore(s.Snapshot())
	if err != nil {
		t.Fatalf("the snapshot does not come back: %v", err)
	}
	if !bytes.Equal(again.Snapshot(), s.Snapshot()) {
		t.Error("the snapshot comes back as another")
	}
	for _, purpose := range s.Counts() {
		if err := muster.CheckName(purpose.Purpose, muster.MaxName); err != nil {
			t.Errorf("purpose %q is in the state: %v", purpose.Purpose, err)
		}
	}
}

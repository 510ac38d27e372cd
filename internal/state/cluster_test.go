package state

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/muster-fleet/muster"
)

// cluster is a state that a test speaks to in short words.
type cluster struct {
	*State
	t  *testing.T
	at muster.Instant
}

func newCluster(t *testing.T, cfg Config) *cluster {
	return &cluster{State: New(cfg), t: t, at: 1000}
}

// plain is a configuration with one strategy for every purpose, and no debit.
func plain(strategy muster.Strategy) Config {
	cfg := DefaultConfig()
	cfg.Strategies, cfg.General, cfg.Debit.Mode = nil, strategy, DebitOff
	return cfg
}

// do applies an operation that must succeed and returns its events.
func (c *cluster) do(op Op) []muster.Event {
	c.t.Helper()
	result, events := c.Apply(Command{At: c.at, Seed: 1, Op: op})
	if result.Err != nil {
		c.t.Fatalf("%#v: %v", op, result.Err)
	}
	return events
}

// refused applies an operation that must fail and returns why it did.
func (c *cluster) refused(op Op) string {
	c.t.Helper()
	result, events := c.Apply(Command{At: c.at, Seed: 1, Op: op})
	if result.Err == nil {
		c.t.Fatalf("%#v was done", op)
	}
	if len(events) > 0 {
		c.t.Fatalf("%#v was refused, and did %v", op, events)
	}
	return result.Err.Error()
}

// worker adds a worker with an info in JSON that is idle.
func (c *cluster) worker(purpose, id, info string) {
	c.t.Helper()
	parsed, err := muster.ParseInfo(json.RawMessage(info))
	if err != nil {
		c.t.Fatal(err)
	}
	c.do(Join{Purpose: purpose, Worker: id, Info: parsed})
	c.load(id, 0)
}

func (c *cluster) load(id string, load float64) {
	c.t.Helper()
	c.do(ReportLoad{[]WorkerLoad{{id, load}}})
}

// place schedules a task that must find a worker.
func (c *cluster) place(purpose, task, preference string) string {
	c.t.Helper()
	result, _ := c.Apply(Command{At: c.at, Seed: 1, Op: Schedule{Purpose: purpose, Task: task, Preference: json.RawMessage(preference)}})
	if result.Err != nil {
		c.t.Fatalf("%s %s %s: %v", purpose, task, preference, result.Err)
	}
	return result.Worker
}

// equal workers are idle and alike.
func (c *cluster) equalWorkers(purpose string, n int) {
	c.t.Helper()
	for i := range n {
		c.worker(purpose, fmt.Sprintf("w%d", i), `{}`)
	}
}

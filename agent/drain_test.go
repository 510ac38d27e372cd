package agent

import (
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// An agent that an operator drains ends its idle nodes, keeps its tasks, and has idle
// nodes again when the drain is called off.
func TestManagerDrainsTheAgentWithItsNodes(t *testing.T) {
	f := newFleet(t, time.Minute)
	launcher, _ := obedient()
	a := f.start(sample(launcher))
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	f.managerHas(a, "task1")
	d, err := f.client.Drain(f.ctx, muster.DrainOrder{Selector: muster.Selector{Worker: a.ID()}, Force: true})
	if err != nil || d.Left != 1 {
		t.Fatalf("%+v %v", d, err)
	}
	f.until(a, "the node of its task only", func(p *pool) bool { return p.draining && len(p.nodes) == 1 && len(p.tasks) == 1 })
	f.is("agent not ready", a, "getNode", arg("room2", "task2"))
	f.schedule("sample", "other", client.ErrNoWorker)
	if _, err := f.client.Undrain(f.ctx, client.Undrain{Drain: d.ID}); err != nil {
		t.Fatal(err)
	}
	f.until(a, "two idle nodes again", inState(muster.NodeIdle, 2))
}

func TestManagerEndsTheTasksOfTheAgentAtTheDeadline(t *testing.T) {
	f := newFleet(t, time.Minute)
	launcher, _ := obedient()
	a := f.start(sample(launcher))
	f.until(a, "two idle nodes", inState(muster.NodeIdle, 2))
	f.is(`"sample-1_0"`, a, "getNode", arg("room1", "task1"))
	f.managerHas(a, "task1")
	_, err := f.client.Drain(f.ctx, muster.DrainOrder{
		Selector: muster.Selector{Worker: a.ID()}, Force: true, DeadlineMillis: 300, Policy: muster.DrainEnd,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.expect("sample.failed", `{"task":"task1","room":"room1","node":"sample-1_0","worker":"sample-1","purpose":"sample",`+
		`"error":"the agent is drained, and the deadline has passed"}`)
	f.until(a, "no nodes", func(p *pool) bool { return len(p.nodes) == 0 })
	f.managerHas(a)
}

// An agent that no manager asks any more to drain is available again; one that drains
// in order to end is not.
func TestDrainLeaseEnds(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newPool(settings{agent: "a", purpose: "sample", policy: Policy{Prerun: 2, MaxNodes: 5}, readyTimeout: time.Minute, answerWithin: time.Second},
		func(string) string { return "" }, func(string) time.Time { return time.Time{} })
	p.tick(now)
	p.drainUntil(now, now.Add(10*time.Second))
	if p.available() || p.prerun() != 0 {
		t.Error("it is not drained")
	}
	if next := p.next(); next.After(now.Add(10 * time.Second)) {
		t.Errorf("it wakes at %v", next)
	}
	p.drainUntil(now.Add(5*time.Second), now.Add(15*time.Second))
	p.tick(now.Add(14 * time.Second))
	if p.available() {
		t.Error("a lease that was prolonged has ended")
	}
	p.tick(now.Add(15 * time.Second))
	if !p.available() || p.prerun() != 2 {
		t.Error("the lease does not end")
	}
	p.drain(now.Add(16 * time.Second))
	p.drainUntil(now.Add(17*time.Second), now.Add(18*time.Second))
	p.undrain(now.Add(17 * time.Second))
	p.tick(now.Add(time.Hour))
	if p.available() {
		t.Error("an agent that is to end takes tasks again")
	}
}

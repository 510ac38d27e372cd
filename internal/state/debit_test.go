package state

import (
	"fmt"
	"math"
	"testing"

	"github.com/muster-fleet/muster"
)

func (c *cluster) debit(worker string, want float64) {
	c.t.Helper()
	if w, _ := c.Worker(worker); math.Abs(w.Debit-want) > 1e-12 {
		c.t.Errorf("the debit of %s is %v, want %v", worker, w.Debit, want)
	}
}

func withDebit(mode DebitMode, fixed float64) Config {
	cfg := plain(muster.LeastUsed)
	cfg.Debit = Debit{Mode: mode, Fixed: fixed, Floor: 0.001}
	return cfg
}

func TestDebitIsGivenBack(t *testing.T) {
	c := newCluster(t, withDebit(DebitFixed, 0.1))
	c.worker("sip", "w", `{}`)
	for _, task := range []string{"a", "b", "c", "d"} {
		c.place("sip", task, "")
	}
	c.debit("w", 0.4)
	c.load("w", 0.3) // nothing was picked up: the debits stay beside it
	c.debit("w", 0.4)
	c.do(PickUpTasks{"w", []string{"a", "b"}, nil})
	c.debit("w", 0.4)
	c.do(LayDownTask{"w", "b", 0})
	c.debit("w", 0.4) // reserved again
	c.load("w", 0.4)  // a is in the measured load now
	c.debit("w", 0.3)
	c.do(Unschedule{"w", "b", 0})
	c.debit("w", 0.2)
	c.at += 60_000
	c.do(Expire{})
	c.debit("w", 0)
}

func TestDebitFillsAWorker(t *testing.T) {
	c := newCluster(t, withDebit(DebitFixed, 0.3))
	c.worker("sip", "w", `{"maxLoad":0.9}`)
	for i := range 3 {
		c.place("sip", fmt.Sprint(i), "")
	}
	c.refused(Schedule{Purpose: "sip", Task: "more"})
	if why, _ := c.Why("sip", "more"); why.Excluded[muster.RuleFull] != 1 {
		t.Errorf("explained as %+v", why)
	}
}

// Tasks of some purposes are never picked up: what they cost stays a guess,
// which must not fill a fleet.
func TestGuessedDebitFillsNoWorker(t *testing.T) {
	c := newCluster(t, withDebit(DebitLearned, 0))
	c.worker("portal", "w", `{"maxLoad":0.9}`)
	for i := range 1000 {
		c.place("portal", fmt.Sprint(i), "")
	}
	for i := range 10 { // ten reports that settle a task each: now it is known
		c.do(PickUpTasks{"w", []string{fmt.Sprint(i)}, nil})
		c.load("w", 0.01*float64(i+1))
	}
	c.refused(Schedule{Purpose: "portal", Task: "more"})
}

func TestDebitOff(t *testing.T) {
	c := newCluster(t, withDebit(DebitOff, 0))
	c.equalWorkers("sip", 100)
	for i := range 2000 {
		if got := c.place("sip", fmt.Sprint(i), ""); got != "w0" {
			t.Fatalf("task %d went to %s", i, got)
		}
	}
}

func TestDebitIsLearned(t *testing.T) {
	c := newCluster(t, withDebit(DebitLearned, 0))
	c.worker("sip", "w", `{"maxLoad":1000}`)
	next := func() float64 { return c.Counts()[0].Debit }
	if next() != 0.01 {
		t.Errorf("it begins with %v", next())
	}
	load := 0.0
	for i := range 100 {
		a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
		c.place("sip", a, "")
		c.place("sip", b, "")
		c.do(PickUpTasks{"w", []string{a, b}, nil})
		load += 0.08
		c.load("w", load)
	}
	if got := next(); math.Abs(got-0.04) > 0.0001 {
		t.Errorf("two tasks that add 0.08 taught %v a task", got)
	}
}

func TestWhatIsNotLearned(t *testing.T) {
	c := newCluster(t, withDebit(DebitLearned, 0))
	c.worker("sip", "w", `{}`)
	c.load("w", 0.5) // no task
	c.place("sip", "a", "")
	c.place("sip", "b", "")
	c.do(PickUpTasks{"w", []string{"a", "b"}, nil})
	c.do(LayDownTask{"w", "b", 0})
	c.load("w", 0.9) // a task ended meanwhile
	c.do(Join{Purpose: "sip", Worker: "w"})
	c.do(PickUpTasks{"w", []string{"b"}, nil})
	c.load("w", 0.3) // nothing was known of its load before
	if got := c.Counts()[0].Debit; got != 0.01 {
		t.Errorf("learned %v", got)
	}
}

func TestLearnedDebitHasBounds(t *testing.T) {
	for added, want := range map[float64]float64{-0.5: 0.001, 5: 0.5} {
		c := newCluster(t, withDebit(DebitLearned, 0))
		c.worker("sip", "w", `{"maxLoad":100000}`)
		load := 1000.0
		c.load("w", load)
		for i := range 200 {
			task := fmt.Sprint(i)
			c.place("sip", task, "")
			c.do(PickUpTasks{"w", []string{task}, nil})
			load += added
			c.load("w", load)
		}
		if got := c.Counts()[0].Debit; math.Abs(got-want) > 1e-6 {
			t.Errorf("placements that add %v taught %v", added, got)
		}
	}
}

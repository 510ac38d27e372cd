package state

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-fleet/muster"
)

func TestWorkersAreInJoinOrder(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	for _, w := range [][2]string{{"sip", "z"}, {"audio", "y"}, {"sip", "a"}, {"audio", "b"}} {
		c.worker(w[0], w[1], `{}`)
	}
	c.worker("sip", "z", `{}`)
	for purpose, want := range map[string][]string{
		AllPurposes: {"z", "y", "a", "b"}, "sip": {"z", "a"}, "audio": {"y", "b"}, "video": {},
	} {
		if diff := cmp.Diff(want, c.Workers(purpose)); diff != "" {
			t.Errorf("%s: %s", purpose, diff)
		}
	}
	if p, ok := c.PurposeOf("y"); p != "audio" || !ok {
		t.Error(p, ok)
	}
	if _, ok := c.PurposeOf("nobody"); ok || c.Has("nobody") {
		t.Error("an unknown worker is there")
	}
	if _, ok := c.Tasks("nobody"); ok {
		t.Error("an unknown worker has tasks")
	}
}

func TestCounts(t *testing.T) {
	c := newCluster(t, withDebit(DebitFixed, 0.5))
	c.equalWorkers("sip", 3)
	c.worker("audio", "a", `{}`)
	c.do(ReportState{"w2", muster.StateNotReady})
	for _, task := range []string{"1", "2", "3"} {
		c.place("sip", task, "")
	}
	c.do(PickUpTasks{"w0", []string{"1"}, nil})
	want := []Count{
		{Purpose: "audio", Strategy: muster.LeastUsed, Workers: 1, Ready: 1, Debit: 0.5},
		{Purpose: "sip", Strategy: muster.LeastUsed, Workers: 3, Ready: 2, Full: 1, Reserved: 2, Running: 1, Debit: 0.5},
	}
	if diff := cmp.Diff(want, c.Counts()); diff != "" {
		t.Error(diff)
	}
	tasks := []Task{
		{"sip", "1", "w0", true, 0, 1000}, {"sip", "3", "w0", false, 61_000, 1002}, {"sip", "2", "w1", false, 61_000, 1001},
	}
	if diff := cmp.Diff(tasks, c.AllTasks("")); diff != "" {
		t.Error(diff)
	}
}

func TestWhyRemembersTheLastDecisions(t *testing.T) {
	c := newCluster(t, withDebit(DebitOff, 0))
	c.equalWorkers("sip", 5)
	for i := range maxDecisions + 10 {
		task := fmt.Sprint(i)
		c.place("sip", task, "")
		c.do(Unschedule{"w0", task, 0})
	}
	if why, ok := c.Why("sip", "9"); ok {
		t.Errorf("it still knows %+v", why)
	}
	why, ok := c.Why("sip", "10")
	want := muster.Explanation{
		Purpose: "sip", Task: "10", At: 1000, Strategy: muster.LeastUsed, Workers: 5, Candidates: 5,
		Chosen: &muster.Candidate{Worker: "w0"},
		Others: []muster.Candidate{{Worker: "w1"}, {Worker: "w2"}, {Worker: "w3"}},
	}
	if diff := cmp.Diff(want, why); diff != "" || !ok {
		t.Error(diff)
	}
	if c.last.made != maxDecisions+10 || len(c.last.chunks) != maxDecisions/decisionChunk {
		t.Errorf("%d decisions in %d chunks", c.last.made, len(c.last.chunks))
	}
}

func TestHasDoesNotAllocate(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{}`)
	if n := testing.AllocsPerRun(100, func() { c.Has("w") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSnapshotOfManyTasks(t *testing.T) {
	s := loaded(100_000)
	again, err := Restore(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.Counts(), s.Counts(); !cmp.Equal(got, want) {
		t.Errorf("restored %v, want %v", got, want)
	}
}

// loaded is a fleet of a worker for every hundred tasks.
func loaded(tasks int) *State {
	cfg := plain(muster.RoundRobin)
	s := New(cfg)
	workers := tasks / 100
	loads := make([]WorkerLoad, workers)
	for i := range workers {
		id := fmt.Sprintf("sip-%020d@10.0.0.1", i)
		s.Apply(Command{Op: Join{Purpose: "sip", Worker: id}})
		loads[i].Worker = id
	}
	s.Apply(Command{Op: ReportLoad{loads}})
	for i := range tasks {
		s.Apply(Command{Op: Schedule{Purpose: "sip", Task: fmt.Sprintf("room-%07d", i)}})
	}
	return s
}

package state

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster"
)

// number is the highest placement number that was given.
func (c *cluster) number() uint64 { return c.placements }

// placed schedules a task and returns the number of its placement.
func (c *cluster) placed(op Schedule) uint64 {
	c.t.Helper()
	result, _ := c.Apply(Command{At: c.at, Seed: 1, Op: op})
	if result.Err != nil {
		c.t.Fatalf("%#v: %v", op, result.Err)
	}
	return result.Placement
}

func TestPlacementNumbersRise(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.equalWorkers("sip", 2)
	first := c.placed(Schedule{Purpose: "sip", Task: "a"})
	again := c.placed(Schedule{Purpose: "sip", Task: "a"})
	second := c.placed(Schedule{Purpose: "sip", Task: "b"})
	if first != uint64(c.at) || again != first || second != first+1 {
		t.Errorf("at %d: placed as %d, again as %d, another as %d", c.at, first, again, second)
	}
	restored, err := Restore(c.Snapshot())
	if err != nil || restored.placements != second {
		t.Errorf("after a snapshot the highest number is %d (%v), not %d", restored.placements, err, second)
	}
	// A lone manager that starts with nothing, a second later.
	later := newCluster(t, plain(muster.RoundRobin))
	later.at = c.at + 1000
	later.equalWorkers("sip", 1)
	if n := later.placed(Schedule{Purpose: "sip", Task: "a"}); n <= second {
		t.Errorf("an empty state gave %d after %d", n, second)
	}
}

func TestClaim(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w0", `{"max_tasks":1,"incarnation":"5"}`)
	c.worker("sip", "w1", `{}`)
	claim := func(worker, task string, number uint64) error {
		t.Helper()
		result, _ := c.Apply(Command{At: c.at, Op: ClaimTask{Worker: worker, Task: task, Placement: number}})
		return result.Err
	}
	number := c.placed(Schedule{Purpose: "sip", Task: "t", ReserveMillis: 1000})
	for _, k := range []struct {
		worker, task string
		number       uint64
		want         error
	}{
		{"w0", "t", number + 1, muster.ReasonPlacementOver},
		{"w0", "t", number, nil},
		{"w0", "t", number, nil},
		{"w0", "t", 0, nil},
		{"w1", "t", number, muster.ReasonTaskElsewhere},
		{"w1", "t", 0, muster.ReasonTaskElsewhere},
		{"w0", "u", 0, muster.ReasonNoSlot},
		{"w1", "u", number, muster.ReasonPlacementOver},
		{"w1", "u", 0, nil},
	} {
		if err := claim(k.worker, k.task, k.number); !errors.Is(err, k.want) {
			t.Errorf("%s claims %s as %d: %v, want %v", k.worker, k.task, k.number, err, k.want)
		}
	}
	if result, _ := c.Apply(Command{At: c.at, Op: ClaimTask{Worker: "w0", Incarnation: "4", Task: "t"}}); !errors.Is(result.Err, muster.ReasonReplaced) {
		t.Errorf("an older process claims: %v", result.Err)
	}
}

func TestLateCallerIsRefused(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{}`)
	first := c.placed(Schedule{Purpose: "sip", Task: "t", ReserveMillis: 1000})
	c.at += 1000
	c.do(Expire{})
	late := ClaimTask{Worker: "w", Task: "t", Placement: first}
	if got := c.refused(late); got != muster.ReasonPlacementOver.Text {
		t.Error(got)
	}
	second := c.placed(Schedule{Purpose: "sip", Task: "t", ReserveMillis: 1000})
	if got := c.refused(late); got != muster.ReasonPlacementOver.Text {
		t.Error(got)
	}
	for _, op := range []Op{LayDownTask{"w", "t", first}, Unschedule{"w", "t", first}} {
		c.claimed(ClaimTask{Worker: "w", Task: "t", Placement: second})
		if got := c.refused(op); got != muster.ReasonPlacementOver.Text {
			t.Error(got)
		}
	}
	c.do(LayDownTask{"w", "t", c.claimed(ClaimTask{Worker: "w", Task: "t", Placement: second})})
}

// claimed claims a task and returns the number of the claim.
func (c *cluster) claimed(op ClaimTask) uint64 {
	c.t.Helper()
	result, _ := c.Apply(Command{At: c.at, Op: op})
	if result.Err != nil {
		c.t.Fatalf("%#v: %v", op, result.Err)
	}
	return result.Placement
}

// Two callers may have the same placement, and a task may be laid down and run
// again by it. What a queue hands on late of the former run, or of a claim whose
// answer was lost, must not end the later one: the task would be free to run on
// another worker as well.
func TestALateWordEndsNoLaterRun(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{}`)
	number := c.placed(Schedule{Purpose: "sip", Task: "t", ReserveMillis: 1000})
	claim := ClaimTask{Worker: "w", Task: "t", Placement: number}
	first := c.claimed(claim)
	for range 2 {
		second := c.claimed(claim)
		for _, late := range []Op{LayDownTask{"w", "t", first}, LayDownTask{"w", "t", number}, Unschedule{"w", "t", first}} {
			if got := c.refused(late); got != muster.ReasonPlacementOver.Text {
				t.Errorf("%#v: %q", late, got)
			}
		}
		restored, err := Restore(c.Snapshot())
		if err != nil || restored.Claims("w")[0] != second {
			t.Errorf("the snapshot has claims %v (%v), not %d", restored.Claims("w"), err, second)
		}
		c.do(LayDownTask{"w", "t", second})
		first = second
	}
	c.do(Unschedule{"w", "t", first})
}

// The same process that joins again keeps what it runs; another one may have
// died with it.
func TestWhoJoinsAgain(t *testing.T) {
	for _, k := range []struct{ before, now, unscheduled, kept string }{
		{"5", "5", "running", "running"},
		{"5", "6", "gone", "reserved"},
		{"5", "", "reserved", "reserved"},
		{"", "", "reserved", "reserved"},
		{"", "6", "gone", "reserved"},
	} {
		c := newCluster(t, plain(muster.RoundRobin))
		c.worker("sip", "w", `{"incarnation":"`+k.before+`"}`)
		for _, task := range []string{"unscheduled", "kept"} {
			c.do(Schedule{Purpose: "sip", Task: task})
			c.do(PickUpTasks{"w", []string{task}, nil})
		}
		c.do(Unschedule{"w", "unscheduled", 0})
		c.worker("sip", "w", `{"incarnation":"`+k.now+`"}`)
		got := map[string]string{"unscheduled": "gone", "kept": "gone"}
		for _, task := range c.AllTasks("sip") {
			got[task.Task] = "reserved"
			if task.Running {
				got[task.Task] = "running"
			}
		}
		if got["unscheduled"] != k.unscheduled || got["kept"] != k.kept {
			t.Errorf("%q joins after %q: %v", k.now, k.before, got)
		}
	}
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{"incarnation":"5"}`)
	info, _ := muster.ParseInfo([]byte(`{"incarnation":"4"}`))
	if got := c.refused(Join{Purpose: "sip", Worker: "w", Info: info}); got != muster.ReasonReplaced.Text {
		t.Errorf("an older process joins: %q", got)
	}
}

// A task that a state knows nothing of keeps the number that its worker has.
func TestNumberOfATaskThatNobodyPlaced(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{}`)
	c.do(PickUpTasks{"w", []string{"known", "unknown", "absurd"}, []uint64{7, 0, 1 << 60}})
	got := map[string]uint64{}
	for _, task := range c.AllTasks("sip") {
		got[task.Task] = task.Placement
	}
	if now := uint64(c.at); got["known"] != 7 || got["unknown"] != now || got["absurd"] != now+1 {
		t.Error(got)
	}
}

// A manager that was upgraded starts from the snapshot of its former version.
func TestSnapshotOfVersion1(t *testing.T) {
	old, err := os.ReadFile("testdata/snapshot-1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Restore(old)
	if err != nil {
		t.Fatal(err)
	}
	want := sample().AllTasks("")
	for i := range want {
		want[i].Placement = 0
	}
	if diff := cmp.Diff(want, s.AllTasks("")); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	s.Apply(Command{At: s.now, Op: Schedule{Purpose: "video", Task: "new", Preference: []byte(`{"isp":"a"}`)}})
	if s.placements != uint64(s.now) {
		t.Errorf("the first number is %d", s.placements)
	}
}

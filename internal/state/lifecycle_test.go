package state

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-fleet/muster"
)

func (c *cluster) on(purpose, task, worker string) {
	c.t.Helper()
	if got, err := c.Scheduled(purpose, task); got != worker || (err == nil) != (worker != "") {
		c.t.Errorf("task %s is on %q (%v), want %q", task, got, err, worker)
	}
}

func (c *cluster) events(op Op, want ...muster.Event) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.do(op), cmpopts.EquateEmpty()); diff != "" {
		c.t.Errorf("%#v: want -, got +\n%s", op, diff)
	}
}

func TestReservationRunsOut(t *testing.T) {
	for _, tc := range []struct {
		name         string
		asked, lasts int64
	}{
		{"asked for", 500, 500},
		{"zero is the default", 0, 60_000},
		{"negative is the default", -1, 60_000},
		{"absurd is a day", math.MaxInt64, MaxReserveMillis},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, plain(muster.RoundRobin))
			c.worker("sip", "w", `{}`)
			c.do(Schedule{Purpose: "sip", Task: "t", ReserveMillis: tc.asked})
			c.at += muster.Instant(tc.lasts - 1)
			c.events(Expire{})
			c.on("sip", "t", "w")
			c.at++
			c.events(Expire{}, muster.TaskReleased{Purpose: "sip", Task: "t", Worker: "w", Reason: muster.ReleasedExpired})
			c.on("sip", "t", "")
		})
	}
}

func TestRepeatedScheduleProlongs(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.equalWorkers("sip", 3)
	c.do(Schedule{Purpose: "sip", Task: "t", ReserveMillis: 1000})
	first, _ := c.Why("sip", "t")
	c.at += 600
	result, _ := c.Apply(Command{At: c.at, Op: Schedule{Purpose: "sip", Task: "t", ReserveMillis: 10}})
	if result.Worker != "w0" || !result.Already || result.Explanation != nil {
		t.Errorf("a repeated schedule came to %+v", result)
	}
	if again, ok := c.Why("sip", "t"); !ok || !cmp.Equal(first, again) {
		t.Errorf("why is now %+v", again)
	}
	c.at += 999
	c.events(Expire{})
	c.at++
	if c.do(Expire{}); c.Has("w0") {
		c.on("sip", "t", "")
	}
}

func TestPickUpEndsAndLayDownBeginsTheReservation(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{}`)
	c.do(Schedule{Purpose: "sip", Task: "t", ReserveMillis: 1000})
	c.events(PickUpTasks{"w", []string{"t"}, nil}, muster.TaskPickedUp{Purpose: "sip", Task: "t", Worker: "w", Placement: c.number()})
	c.events(PickUpTasks{"w", []string{"t"}, nil})
	c.at += 1_000_000
	c.events(Expire{})
	c.events(LayDownTask{"w", "t", 0}, muster.TaskLaidDown{Purpose: "sip", Task: "t", Worker: "w", Until: c.at + 1000})
	c.on("sip", "t", "w")
	c.at += 1000
	c.do(Expire{})
	c.on("sip", "t", "")
}

func TestTaskThatNobodyPlaced(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{"max_tasks":1}`)
	c.do(PickUpTasks{"w", []string{"x", "y"}, nil})
	c.on("sip", "x", "w")
	if tasks, _ := c.Tasks("w"); !cmp.Equal(tasks, []string{"x", "y"}) {
		t.Errorf("runs %v", tasks)
	}
	if got := c.refused(Schedule{Purpose: "sip", Task: "z"}); got != "Failed in scheduling sip worker, reason: No worker available, all in full load." {
		t.Error(got)
	}
	if why, _ := c.Why("sip", "z"); why.Excluded[muster.RuleSlots] != 1 {
		t.Errorf("explained as %+v", why)
	}
	c.do(LayDownTask{"w", "x", 0})
	c.at += 60_000
	c.events(Expire{}, muster.TaskReleased{Purpose: "sip", Task: "x", Worker: "w", Reason: muster.ReleasedExpired})
}

func TestPickUpOfAnothersTaskIsRefused(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.equalWorkers("sip", 2)
	c.place("sip", "t", "")
	c.events(PickUpTasks{"w1", []string{"t"}, nil}, muster.TaskRefused{Purpose: "sip", Task: "t", Worker: "w1", Holder: "w0"})
	c.on("sip", "t", "w0")
}

func TestUnschedule(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.equalWorkers("sip", 2)
	c.place("sip", "t", "")
	if got := c.refused(Unschedule{"w1", "t", 0}); !strings.Contains(got, "w1") {
		t.Error(got)
	}
	c.events(Unschedule{"w0", "t", 0}, muster.TaskReleased{Purpose: "sip", Task: "t", Worker: "w0", Reason: muster.ReleasedUnscheduled})
	c.place("sip", "u", "")
	c.do(PickUpTasks{"w1", []string{"u"}, nil})
	c.events(Unschedule{"w1", "u", 0}, muster.TaskReserved{Purpose: "sip", Task: "u", Worker: "w1", Placement: c.number()})
	c.on("sip", "u", "w1")
	c.events(LayDownTask{"w1", "u", 0},
		muster.TaskLaidDown{Purpose: "sip", Task: "u", Worker: "w1", Until: c.at},
		muster.TaskReleased{Purpose: "sip", Task: "u", Worker: "w1", Reason: muster.ReleasedUnscheduled})
	c.on("sip", "u", "")
}

func TestWorkerThatLeavesReleasesItsTasks(t *testing.T) {
	for _, tc := range []struct {
		op     Op
		reason muster.LeaveReason
	}{{Quit{"w"}, muster.LeftQuit}, {WorkerLost{"w"}, muster.LeftLost}} {
		c := newCluster(t, plain(muster.RoundRobin))
		c.worker("sip", "w", `{}`)
		c.place("sip", "reserved", "")
		c.place("sip", "running", "")
		c.do(PickUpTasks{"w", []string{"running"}, nil})
		c.events(tc.op,
			muster.TaskReleased{Purpose: "sip", Task: "running", Worker: "w", Reason: muster.ReleasedWorkerLeft},
			muster.TaskReleased{Purpose: "sip", Task: "reserved", Worker: "w", Reason: muster.ReleasedWorkerLeft},
			muster.WorkerLeft{Purpose: "sip", Worker: "w", Reason: tc.reason, Tasks: 2})
		if c.Has("w") {
			t.Error("it is still there")
		}
		if got := c.refused(Schedule{Purpose: "sip", Task: "x"}); !strings.HasSuffix(got, muster.ReasonAllFull.Text) {
			t.Error(got)
		}
	}
}

func TestJoiningAgain(t *testing.T) {
	for _, tc := range []struct {
		name    string
		join    Join
		running string
		order   []string
	}{
		{"as it was", Join{Purpose: "sip", Worker: "w0"}, "w0", []string{"w0", "w1"}},
		{"elsewhere", Join{Purpose: "audio", Worker: "w0"}, "", []string{"w1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, plain(muster.LastUsed))
			c.equalWorkers("sip", 2)
			c.place("sip", "run", "")
			c.place("sip", "res", "")
			c.do(ReportState{"w0", muster.StateNotReady})
			c.do(PickUpTasks{"w0", []string{"run"}, nil})
			c.do(tc.join)
			c.on("sip", "run", tc.running)
			if got := c.Workers("sip"); !cmp.Equal(got, tc.order) {
				t.Errorf("the order is %v", got)
			}
			if w, _ := c.Worker("w0"); w.State != muster.StateUnreported || w.Load != 1 {
				t.Errorf("it is %+v", w)
			}
			if tc.join.Purpose == "sip" {
				c.on("sip", "res", "w0")
			} else {
				c.on("sip", "res", "")
			}
		})
	}
}

// A process that joins again, since the manager did not hear it for a while,
// takes tasks at once: what it reported still holds.
func TestTheSameProcessJoiningAgainKeepsItsLoad(t *testing.T) {
	for name, tc := range map[string]struct {
		incarnation string
		known       bool
	}{
		"the same process": {"1", true},
		"another process":  {"2", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, plain(muster.RoundRobin))
			join := func(incarnation string) {
				c.do(Join{Purpose: "sip", Worker: "w", Info: muster.Info{Raw: fmt.Appendf(nil, `{"incarnation":%q}`, incarnation)}})
			}
			join("1")
			c.do(ReportState{"w", muster.StateReady})
			c.do(ReportLoad{[]WorkerLoad{{"w", 0.25}}})
			join(tc.incarnation)
			if w, _ := c.Worker("w"); w.NoLoad == tc.known || (w.State == muster.StateReady) != tc.known || (w.Load == 0.25) != tc.known {
				t.Errorf("it is %+v", w)
			}
			if tc.known {
				c.place("sip", "t", "w")
			} else {
				c.refused(Schedule{Purpose: "sip", Task: "t"})
			}
		})
	}
}

// A worker that has just joined is not full: nothing is known of its load. It gets
// no task all the same, as a manager of OWT's gives none.
func TestUnknownLoadIsNotFull(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.do(Join{Purpose: "sip", Worker: "w"})
	if got := c.refused(Schedule{Purpose: "sip", Task: "t"}); !strings.Contains(got, muster.ReasonAllFull.Text) {
		t.Errorf("on the wire it is %q", got)
	}
	why, _ := c.Why("sip", "t")
	w, _ := c.Worker("w")
	n := c.Counts()[0]
	if why.Excluded[muster.RuleNotReady] != 1 || why.Excluded[muster.RuleFull] != 0 || w.Status() != "initializing" || n.Ready != 0 || n.Full != 0 {
		t.Errorf("excluded %v, status %s, counts %+v", why.Excluded, w.Status(), n)
	}
	c.do(ReportLoad{[]WorkerLoad{{"w", 0.1}}})
	c.place("sip", "t", "w")
	if w, _ := c.Worker("w"); w.NoLoad || w.Status() != "ready" {
		t.Errorf("it is %+v", w)
	}
}

func TestReasons(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.do(Join{Purpose: "analytics", Worker: "w"})
	for _, tc := range []struct {
		op   Op
		want string
	}{
		{Schedule{Purpose: "sip", Task: "t"}, "No scheduler for purpose: sip"},
		{Schedule{Purpose: "analytics", Task: "t"}, "Failed in scheduling analytics worker, reason: No worker available, all in full load."},
		{Quit{"nobody"}, "Worker [nobody] does NOT exist."},
		{WorkerLost{"nobody"}, "Worker [nobody] does NOT exist."},
		{ReportState{"nobody", 2}, "Worker [nobody] does NOT exist."},
		{PickUpTasks{"nobody", nil, nil}, "Worker [nobody] does NOT exist."},
		{LayDownTask{"nobody", "t", 0}, "Worker [nobody] does NOT exist."},
		{Unschedule{"nobody", "t", 0}, "Worker [nobody] does NOT exist."},
		{LayDownTask{"w", "t", 0}, `task "t" is not run by worker w`},
		{ReportState{"w", 3}, "state 3 of worker w: use 0 (initializing), 1 (not ready) or 2 (ready)"},
	} {
		if got := c.refused(tc.op); got != tc.want {
			t.Errorf("%#v: %s", tc.op, got)
		}
	}
	c.load("w", 0)
	wanted := json.RawMessage(`{"algorithm":"none has it"}`)
	if got := c.refused(Schedule{Purpose: "analytics", Task: "t", Preference: wanted}); got != "Failed in scheduling analytics worker, reason: No worker matches the preference." {
		t.Error(got)
	}
	if _, err := c.Scheduled("sip", "t"); err != error(muster.ReasonInvalidPurpose) {
		t.Error(err)
	}
	if _, err := c.Scheduled("analytics", "t"); err != error(muster.ReasonNoTask) {
		t.Error(err)
	}
}

func TestBatchOfLoadsOutlivesABadOne(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.equalWorkers("sip", 2)
	result, events := c.Apply(Command{Op: ReportLoad{[]WorkerLoad{
		{"w0", math.NaN()}, {"nobody", 0.5}, {"w1", 0.5}, {"w0", -1}, {"w0", math.Inf(1)},
	}}})
	if result.Err == nil || strings.Count(result.Err.Error(), "w0") != 3 {
		t.Errorf("the error is %v", result.Err)
	}
	if diff := cmp.Diff([]muster.Event{muster.WorkerLoadChanged{Worker: "w1", Load: 0.5}}, events); diff != "" {
		t.Error(diff)
	}
	c.load("w0", 1.7)
	if w, _ := c.Worker("w0"); w.Load != 1.7 {
		t.Errorf("a load above 1 became %v", w.Load)
	}
}

func TestTimeDoesNotGoBack(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{}`)
	c.at -= 500
	c.do(Schedule{Purpose: "sip", Task: "t", ReserveMillis: 100})
	if got := c.AllTasks("sip")[0].Until; got != 1100 || c.Now() != 1000 {
		t.Errorf("reserved until %d at %d", got, c.Now())
	}
	c.at = math.MaxInt64
	c.do(Schedule{Purpose: "sip", Task: "end of time"})
	c.do(Expire{})
}

func TestReservationThatIsFoldedLateStillExpires(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.worker("sip", "w", `{}`)
	c.at = 1_000_000
	c.do(Expire{})
	c.Fold(c.at, muster.TaskReserved{Purpose: "sip", Task: "t", Worker: "w", ReserveMillis: 100, Until: 2000})
	c.do(Expire{})
	c.on("sip", "t", "")
}

// TestEveryReservationExpiresOnceAndInOrder looks at the wheel from far apart
// and from close by.
func TestEveryReservationExpiresOnceAndInOrder(t *testing.T) {
	for _, step := range []muster.Instant{1, 100, 5000, 700_000, MaxReserveMillis} {
		c := newCluster(t, plain(muster.RoundRobin))
		c.worker("sip", "w", `{}`)
		for i := range int64(400) {
			c.do(Schedule{Purpose: "sip", Task: fmt.Sprint(i), ReserveMillis: 1 + i*i*int64(step)/160})
		}
		until := map[string]muster.Instant{}
		for _, task := range c.AllTasks("") {
			until[task.Task] = task.Until
		}
		var last muster.Instant
		for range 1000 {
			c.at += step
			for _, ev := range c.do(Expire{}) {
				end := until[ev.(muster.TaskReleased).Task]
				if end > c.at || end <= c.at-step || end < last {
					t.Fatalf("step %d: at %d it released what ended at %d, after %d", step, c.at, end, last)
				}
				last = end
			}
		}
		if left := c.AllTasks(""); len(left) > 0 {
			t.Fatalf("step %d: %d tasks never expired, as %+v", step, len(left), left[0])
		}
	}
}

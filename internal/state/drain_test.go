package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster"
)

func of(worker string) muster.Selector { return muster.Selector{Worker: worker} }

// drain orders a drain that must be taken.
func (c *cluster) drain(o muster.DrainOrder) muster.Drain {
	c.t.Helper()
	result, _ := c.Apply(Command{At: c.at, Op: Drain{o}})
	if result.Err != nil {
		c.t.Fatalf("%+v: %v", o, result.Err)
	}
	return *result.Drain
}

func (c *cluster) run(worker string, tasks ...string) {
	c.t.Helper()
	c.do(PickUpTasks{Worker: worker, Tasks: tasks})
}

// three workers of one purpose, w0 with two tasks that run and one that is reserved.
func drainable(t *testing.T) *cluster {
	c := newCluster(t, plain(muster.LastUsed))
	c.equalWorkers("video", 3)
	for _, task := range []string{"a", "b", "c"} {
		if on := c.place("video", task, `{}`); on != "w0" {
			t.Fatalf("%s is on %s", task, on)
		}
	}
	c.run("w0", "a", "b")
	return c
}

func TestDrainKeepsNewTasksAway(t *testing.T) {
	c := drainable(t)
	d := c.drain(muster.DrainOrder{Selector: of("w0")})
	if d.ID != 1 || d.State != muster.DrainRunning || d.Left != 3 || d.Total != 3 || d.Workers != 1 || d.Members[0].Running != 2 {
		t.Errorf("%+v", d)
	}
	if on := c.place("video", "d", `{}`); on != "w1" {
		t.Errorf("a new task is on %s", on)
	}
	if on := c.place("video", "c", `{}`); on != "w0" {
		t.Errorf("a task that was placed before moved to %s", on)
	}
	why, _ := c.Why("video", "d")
	if why.Excluded[muster.RuleDraining] != 1 || why.Candidates != 2 {
		t.Errorf("why: %+v", why)
	}
	c.do(LayDownTask{Worker: "w0", Task: "a"}) // and is not held any longer
	if d, _ := c.DrainByID(1); d.Left != 2 {
		t.Errorf("%d left", d.Left)
	}
	if on := c.place("video", "a", `{}`); on != "w1" {
		t.Errorf("a task that ended was placed on %s again", on)
	}
	c.do(LayDownTask{Worker: "w0", Task: "b"})
	c.do(Unschedule{Worker: "w0", Task: "c"})
	c.do(StepDrains{})
	if d, _ := c.DrainByID(1); d.State != muster.DrainEmpty || d.Emptied != c.at || d.Left != 0 {
		t.Errorf("%+v", d)
	}
	c.do(Undrain{Drain: 1})
	if d, _ := c.DrainByID(1); d.State != muster.DrainCalledOff || d.Total != 3 {
		t.Errorf("%+v", d)
	}
	why = muster.Explanation{}
	c.place("video", "e", `{}`)
	if why, _ = c.Why("video", "e"); why.Candidates != 3 {
		t.Errorf("after undrain: %+v", why)
	}
}

// A worker that dies leaves its drain empty, but its tasks did not end.
func TestDrainCountsTasksThatWereLost(t *testing.T) {
	c := drainable(t)
	c.drain(muster.DrainOrder{Selector: of("w0")})
	c.do(LayDownTask{Worker: "w0", Task: "a"})
	c.do(WorkerLost{"w0"})
	if d, _ := c.DrainByID(1); d.State != muster.DrainEmpty || d.Left != 0 || d.Lost != 2 {
		t.Errorf("%+v", d)
	}
	again, err := Restore(c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := again.DrainByID(1); d.Lost != 2 {
		t.Errorf("restored: %+v", d)
	}
	c.do(Undrain{Drain: 1})
	if d, _ := c.DrainByID(1); d.Lost != 2 {
		t.Errorf("called off: %+v", d)
	}
}

func TestDrainOfTheLastWorkersIsRefused(t *testing.T) {
	c := drainable(t)
	c.drain(muster.DrainOrder{Selector: of("w1")})
	c.do(Cordon{Selector: of("w2")})
	result, events := c.Apply(Command{At: c.at, Op: Drain{muster.DrainOrder{Selector: of("w0")}}})
	want := "refused unless forced: purpose video would have no worker left: 1 would take no more tasks, with 2 running and 1 reserved tasks on them"
	if result.Err == nil || result.Err.Error() != want || len(events) > 0 {
		t.Errorf("%v %v", result.Err, events)
	}
	if diff := cmp.Diff([]muster.Loss{{Purpose: "video", Workers: 1, Running: 2, Reserved: 1}}, result.Losses); diff != "" {
		t.Error(diff)
	}
	if got := c.refused(Cordon{Selector: of("w0")}); got != want {
		t.Errorf("cordon: %s", got)
	}
	c.drain(muster.DrainOrder{Selector: of("w0"), Force: true})
	c.refused(Schedule{Purpose: "video", Task: "x"})
	why, _ := c.Why("video", "x")
	if why.Excluded[muster.RuleDraining] != 2 || why.Excluded[muster.RuleCordoned] != 1 {
		t.Errorf("%+v", why.Excluded)
	}
	c.do(Cordon{Selector: of("w2"), Off: true})
	if on := c.place("video", "x", `{}`); on != "w2" {
		t.Errorf("on %s", on)
	}
}

func TestOverdueTasksMoveWhenTheirCallersAsk(t *testing.T) {
	c := drainable(t)
	c.drain(muster.DrainOrder{Selector: of("w0"), DeadlineMillis: 500, Policy: muster.DrainHandBack})
	c.at += 499
	c.do(StepDrains{})
	if on := c.place("video", "a", `{}`); on != "w0" {
		t.Errorf("before the deadline: on %s", on)
	}
	c.at++
	if !c.DrainsDue(c.at) {
		t.Error("nothing is due")
	}
	if events := c.do(StepDrains{}); !slices.Contains(events, muster.Event(muster.DrainOverdue{Drain: 1})) {
		t.Errorf("%v", events)
	}
	if ids := c.OverdueDrains(); !slices.Equal(ids, []uint64{1}) || len(c.DrainTasks(1)) != 3 {
		t.Errorf("overdue: %v", ids)
	}
	events := c.do(Schedule{Purpose: "video", Task: "a"})
	if e, ok := events[0].(muster.TaskReleased); !ok || e.Worker != "w0" || e.Reason != muster.ReleasedDrained {
		t.Errorf("%v", events)
	}
	if e, ok := events[1].(muster.TaskReserved); !ok || e.Worker != "w1" {
		t.Errorf("%v", events)
	}
	c.refused(LayDownTask{Worker: "w0", Task: "a"}) // it has moved
	for _, id := range []string{"w1", "w2"} {
		c.do(ReportState{id, muster.StateNotReady})
	}
	if on := c.place("video", "b", `{}`); on != "w0" {
		t.Errorf("without another worker, b is on %s", on)
	}
}

func TestStickyDrainCatchesLaterWorkers(t *testing.T) {
	c := newCluster(t, plain(muster.LeastUsed))
	c.worker("video", "v1", `{"labels":{"rack":"7"}}`)
	c.worker("video", "v2", `{"labels":{"rack":"8"}}`)
	rack := muster.Selector{Labels: map[string]string{"rack": "7"}}
	c.drain(muster.DrainOrder{Selector: rack})
	c.worker("video", "v3", `{"labels":{"rack":"7"}}`)
	if w, _ := c.Worker("v3"); w.Drain != 0 {
		t.Error("a later worker is in a drain that is not sticky")
	}
	c.drain(muster.DrainOrder{Selector: rack, Sticky: true})
	c.worker("video", "v4", `{"labels":{"rack":"7"}}`)
	for id, want := range map[string]uint64{"v1": 2, "v2": 0, "v3": 2, "v4": 2} {
		if w, _ := c.Worker(id); w.Drain != want {
			t.Errorf("%s is in drain %d, want %d", id, w.Drain, want)
		}
	}
	if d, _ := c.DrainByID(1); d.State != muster.DrainCalledOff {
		t.Errorf("a drain that lost its worker to another: %+v", d)
	}
	c.do(Undrain{Selector: of("v4")})
	c.worker("video", "v4", `{"labels":{"rack":"7"}}`) // it joins again, and stays free
	if w, _ := c.Worker("v4"); w.Drain != 0 {
		t.Error("a worker that was taken out is in the drain again")
	}
	c.do(Undrain{Selector: rack})
	c.worker("video", "v5", `{"labels":{"rack":"7"}}`)
	if w, _ := c.Worker("v5"); w.Drain != 0 {
		t.Error("a drain that was called off still catches workers")
	}
}

func TestDrainRemembersWorkersForAnHour(t *testing.T) {
	c := drainable(t)
	c.drain(muster.DrainOrder{Selector: of("w0")})
	c.do(Cordon{Selector: of("w1")})
	back := func(id string) muster.Worker {
		c.do(WorkerLost{id})
		c.at += GoneMemory - 1
		c.do(StepDrains{})
		c.worker("video", id, `{}`)
		w, _ := c.Worker(id)
		return w
	}
	if w := back("w0"); w.Drain != 1 {
		t.Error("a worker that came back is drained no more")
	}
	if w := back("w1"); !w.Cordoned {
		t.Error("a worker that came back is cordoned no more")
	}
	c.do(WorkerLost{"w0"})
	c.do(WorkerLost{"w1"})
	c.at += GoneMemory
	c.do(StepDrains{})
	if d, _ := c.DrainByID(1); d.State != muster.DrainOver {
		t.Errorf("%+v", d)
	}
	c.worker("video", "w0", `{}`)
	c.worker("video", "w1", `{}`)
	if w0, _ := c.Worker("w0"); w0.Drain != 0 {
		t.Error("a drain lasts for ever")
	}
	if w1, _ := c.Worker("w1"); w1.Cordoned {
		t.Error("a cordon lasts for ever")
	}
}

func TestOrdersMayBeRepeated(t *testing.T) {
	c := drainable(t)
	order := muster.DrainOrder{Selector: of("w0"), By: muster.Operator{Name: "ada"}}
	first := c.drain(order)
	c.at += 10_000
	if again := c.drain(order); again.ID != first.ID {
		t.Errorf("drain %d, then %d", first.ID, again.ID)
	}
	c.at += orderMemory
	if later := c.drain(order); later.ID == first.ID {
		t.Error("an order of long ago counts as repeated")
	}
	for range 2 {
		if result, _ := c.Apply(Command{At: c.at, Op: Undrain{Selector: of("w0")}}); result.Err != nil || result.Drain.State != muster.DrainCalledOff {
			t.Errorf("%+v", result)
		}
	}
	for range 2 {
		c.do(Cordon{Selector: of("w1")})
	}
	if n := len(c.Audit(0, 100)); n != 5 {
		t.Errorf("%d entries", n)
	}
}

func TestOrdersThatSelectNothing(t *testing.T) {
	c := drainable(t)
	for want, op := range map[string]Op{
		"Worker [w9] does NOT exist.":                Drain{muster.DrainOrder{Selector: of("w9")}},
		"no worker matches":                          Drain{muster.DrainOrder{Selector: muster.Selector{Region: "eu"}}},
		"no such drain is in force":                  Undrain{Drain: 7},
		"No scheduler for purpose: music":            SetStrategy{Purpose: "music", Strategy: muster.LeastUsed},
		"selector must have a worker, a purpose":     Cordon{},
		"fixed debit 2: use 0 to 1":                  SetDebit{Debit: Debit{Mode: DebitFixed, Fixed: 2}},
		"an entry of the audit needs an action":      Record{},
		"operator.name must not be longer than 255 ": Record{Action: "x", By: muster.Operator{Name: strings.Repeat("x", 256)}},
	} {
		if got := c.refused(op); !strings.Contains(got, want) {
			t.Errorf("%#v: %s, want %s", op, got, want)
		}
	}
}

func TestDrainsAreBounded(t *testing.T) {
	c := drainable(t)
	for i := range muster.MaxDrains {
		c.drain(muster.DrainOrder{Selector: muster.Selector{Region: fmt.Sprint(i)}, Sticky: true})
	}
	if got := c.refused(Drain{muster.DrainOrder{Selector: of("w0")}}); got != "drains in force must not be more than 256: call one off first" {
		t.Error(got)
	}
	c.do(Undrain{Drain: 3})
	c.drain(muster.DrainOrder{Selector: of("w0")})
	if _, there := c.DrainByID(3); there || len(c.Drains()) != muster.MaxDrains {
		t.Errorf("%d drains", len(c.Drains()))
	}
}

// The configuration that a new leader brings along does not undo what an operator set.
func TestStrategyAtRunTime(t *testing.T) {
	cfg := plain(muster.LastUsed)
	c := newCluster(t, cfg)
	c.equalWorkers("video", 3)
	c.do(SetStrategy{Purpose: "video", Strategy: muster.RoundRobin})
	c.do(SetDebit{Debit: Debit{Mode: DebitFixed, Fixed: 0.25}})
	c.do(Configure{cfg})
	var on []string
	for i := range 3 {
		on = append(on, c.place("video", fmt.Sprint(i), `{}`))
	}
	if !slices.Equal(on, []string{"w0", "w1", "w2"}) {
		t.Errorf("round robin went to %v", on)
	}
	if w, _ := c.Worker("w0"); w.Debit != 0.25 {
		t.Errorf("debit %v", w.Debit)
	}
	again, err := Restore(c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if s, set := again.StrategyOf("video"); s != muster.RoundRobin || !set {
		t.Errorf("after a restart: %s", s)
	}
	c.do(SetStrategy{Purpose: "video"})
	c.do(SetDebit{Reset: true})
	if s, set := c.StrategyOf("video"); s != muster.LastUsed || set {
		t.Errorf("after the reset: %s", s)
	}
	if d, set := c.DebitInForce(); d.Mode != DebitOff || set {
		t.Errorf("after the reset: %+v", d)
	}
	entries := c.Audit(0, 100)
	if e := entries[0]; e.Action != "strategy" || e.Before != "last-used (configuration)" || e.After != "round-robin" {
		t.Errorf("%+v", e)
	}
}

func TestAuditIsBounded(t *testing.T) {
	c := newCluster(t, plain(muster.LeastUsed))
	by := muster.Operator{Name: "ada", From: "laptop"}
	for i := range muster.MaxAudit + 5 {
		c.do(Record{By: by, Action: "add-manager", Target: fmt.Sprint(i), After: strings.Repeat("é", muster.MaxAuditText)})
	}
	all := c.Audit(0, 10*muster.MaxAudit)
	if len(all) != muster.MaxAudit || all[0].Number != 6 || all[0].Target != "5" || all[0].By != by || all[0].At != c.at {
		t.Errorf("%d entries, the first %+.200v", len(all), all[0])
	}
	if n := len(all[0].After); n > muster.MaxAuditText || n < muster.MaxAuditText-4 || !strings.HasSuffix(all[0].After, "é...") {
		t.Errorf("a text of %d bytes", n)
	}
	if part := c.Audit(1000, 2); len(part) != 2 || part[0].Number != 1001 {
		t.Errorf("%+.100v", part)
	}
	again, err := Restore(c.Snapshot())
	if err != nil || cmp.Diff(all, again.Audit(0, muster.MaxAudit)) != "" {
		t.Errorf("after a restart: %v", err)
	}
}

func TestEstimateIsHowLongTasksLasted(t *testing.T) {
	c := newCluster(t, plain(muster.LastUsed))
	c.equalWorkers("video", 2)
	live := func(task string, seconds int64) {
		c.place("video", task, `{}`)
		c.run("w0", task)
		c.at += muster.Instant(seconds * 1000)
		c.do(LayDownTask{Worker: "w0", Task: task})
		c.do(Unschedule{Worker: "w0", Task: task})
	}
	for i := range 6 {
		live(fmt.Sprint("short", i), 10)
	}
	c.place("video", "last", `{}`)
	c.run("w0", "last")
	if d := c.drain(muster.DrainOrder{Selector: of("w0")}); d.EstimateMillis != -1 {
		t.Errorf("after 6 tasks: %d ms", d.EstimateMillis)
	}
	c.do(Undrain{Drain: 1})
	for i := range 6 {
		live(fmt.Sprint("long", i), 60)
	}
	d, _ := c.DrainByID(c.drain(muster.DrainOrder{Selector: of("w0")}).ID)
	if age := 360; d.EstimateMillis < 300_000 || d.EstimateMillis > 420_000 {
		t.Errorf("a task that is older (%d s) than any before: %d ms", age, d.EstimateMillis)
	}
	var l lasts
	for range 50 {
		l.observe(10_000)
		l.observe(60_000)
	}
	for _, row := range []struct {
		age   int64
		share float64
		least int64
		most  int64
	}{{0, 0.4, 9_000, 13_000}, {0, 0.9, 55_000, 75_000}, {20_000, 0.5, 35_000, 55_000}} {
		if got := l.rest(row.age, row.share); got < row.least || got > row.most {
			t.Errorf("%+v: %d", row, got)
		}
	}
}

func TestLastsFade(t *testing.T) {
	var l lasts
	for range 2 * lastsMax {
		l.observe(1000)
	}
	for range lastsMax {
		l.observe(1 << 60)
	}
	if l.n >= lastsMax || l.rest(0, 0.5) < 1000 {
		t.Errorf("%d tasks, half end within %d ms", l.n, l.rest(0, 0.5))
	}
	for i := range lastsBuckets {
		if bucketOf(lower(i)) != i || i > 0 && bucketOf(lower(i)-1) != i-1 {
			t.Errorf("bucket %d begins at %d", i, lower(i))
		}
	}
}

func TestWhoLeftIsRemembered(t *testing.T) {
	c := drainable(t)
	c.do(WorkerLost{"w0"})
	if gone, ok := c.Departed("w0"); !ok || gone.At != c.at || gone.Reason != muster.LeftLost {
		t.Errorf("%+v", gone)
	}
	again, err := Restore(c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := again.Departed("w0"); !ok {
		t.Error("forgotten with a restart")
	}
	c.worker("video", "w0", `{}`)
	if _, ok := c.Departed("w0"); ok {
		t.Error("it is back")
	}
	for i := range 2 * maxDeparted {
		c.worker("video", fmt.Sprint("x", i), `{}`)
		c.do(Quit{fmt.Sprint("x", i)})
	}
	if len(c.departed) != maxDeparted {
		t.Errorf("%d are remembered", len(c.departed))
	}
}

// A manager that was upgraded starts from the snapshot of its former version.
func TestSnapshotOfVersion2(t *testing.T) {
	old, err := os.ReadFile("testdata/snapshot-2")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Restore(old)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample().AllTasks(""), s.AllTasks("")); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	if _, err := Restore(s.Snapshot()); errors.Is(err, errSnapshot) {
		t.Error(err)
	}
}

// The same, with what operators did.
func TestSnapshotOfVersion3(t *testing.T) {
	old, err := os.ReadFile("testdata/snapshot-3")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Restore(old)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Snapshot(), sample().Snapshot()) {
		t.Error("it is not the state that it was taken of")
	}
}

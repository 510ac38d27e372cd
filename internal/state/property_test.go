package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
	"pgregory.net/rapid"
)

var (
	testPurposes = []string{"webrtc", "video", "analytics", "sip"}
	testISPs     = []string{"a", "b"}
	testRegions  = []string{"n", "s", "e"}
)

func subset(t *rapid.T, of ...string) []string {
	mask := rapid.IntRange(0, 1<<len(of)-1).Draw(t, "subset")
	var out []string
	for i, s := range of {
		if mask>>i&1 == 1 {
			out = append(out, s)
		}
	}
	return out
}

func one[E any](t *rapid.T, of ...E) E { return rapid.SampledFrom(of).Draw(t, "one") }

func drawInfo(t *rapid.T) muster.Info {
	info := muster.Info{
		MaxLoad:  one(t, 1, 0.5, 0.98, 1.5),
		MaxTasks: one(t, 0, 0, 1, 3),
		Raw: json.RawMessage(fmt.Sprintf(`{"n":%d,"incarnation":%q}`,
			rapid.IntRange(0, 9).Draw(t, "raw"), one(t, "", "", "1", "2"))),
	}
	info.Capacity.ISPs, info.Capacity.Regions = subset(t, testISPs...), subset(t, testRegions...)
	if rapid.Bool().Draw(t, "video") {
		info.Capacity.Video = &muster.Formats{Encode: subset(t, "h264", "vp8"), Decode: subset(t, "h264", "av1")}
	}
	info.Capacity.Algorithms = subset(t, "face", "gait")
	for _, key := range subset(t, "gpu", "zone") {
		if info.Labels == nil {
			info.Labels = map[string]string{}
		}
		info.Labels[key] = one(t, "1", "2")
	}
	return info
}

func drawPreference(t *rapid.T) json.RawMessage {
	if odd := one(t, "", "", "", "", "", `"preference"`, "", `[1]`, `{"labels":{"gpu":7}}`, `{"isp":`, ""); odd != "" {
		return json.RawMessage(odd)
	}
	p := map[string]any{}
	if v := one(t, "", "a", "b", "c"); v != "" {
		p["isp"] = v
	}
	if v := one(t, "", "n", "s", "e", "w"); v != "" {
		p["region"] = v
	}
	if v := one(t, "", "face", "gait"); v != "" {
		p["algorithm"] = v
	}
	if rapid.IntRange(0, 3).Draw(t, "video") == 0 {
		p["video"] = map[string]any{"encode": subset(t, "h264", "vp8"), "decode": subset(t, "av1")}
	}
	if rapid.IntRange(0, 3).Draw(t, "labels") == 0 {
		p["labels"] = map[string]any{one(t, "gpu", "zone", "none"): one[any](t, "1", "2",
			map[string]any{"in": []string{"1", "3"}}, map[string]any{"exists": true}, map[string]any{"exists": false})}
	}
	raw, _ := json.Marshal(p)
	return raw
}

func drawConfig(t *rapid.T) Config {
	cfg := Config{
		Strategies:    map[string]muster.Strategy{},
		General:       one(t, muster.Strategies...),
		ReserveMillis: 700,
		Debit: Debit{
			Mode:  one(t, DebitLearned, DebitOff, DebitFixed),
			Fixed: one(t, 0.003, 0.05, 0.25), Floor: one(t, 0, 0.001, 0.03),
		},
	}
	for _, p := range testPurposes {
		cfg.Strategies[p] = one(t, muster.Strategies...)
	}
	return cfg
}

func drawOp(t *rapid.T) Op {
	workers := []string{"w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w10", "w11"}
	worker := one(t, workers...)
	task := fmt.Sprintf("t%d", rapid.IntRange(0, 25).Draw(t, "task"))
	switch n := rapid.IntRange(-9, 40).Draw(t, "op"); {
	case n < 0:
		return drawOrder(t, worker)
	case n == 0:
		return Configure{drawConfig(t)}
	case n == 1:
		return Quit{worker}
	case n == 2:
		return WorkerLost{worker}
	case n == 3:
		return ReportState{worker, one(t, muster.WorkerState(0), 1, 2, 2, 2, 3, -1)}
	case n <= 9:
		purpose := testPurposes[len(worker)*int(worker[len(worker)-1])%len(testPurposes)]
		if rapid.IntRange(0, 5).Draw(t, "moves") == 0 {
			purpose = one(t, testPurposes...)
		}
		return Join{Purpose: purpose, Worker: worker, Info: drawInfo(t)}
	case n <= 14:
		var loads []WorkerLoad
		for _, w := range subset(t, workers...) {
			loads = append(loads, WorkerLoad{w, one(t, 0, 0, 0.1, 0.1, 0.25, 0.333333333, 0.5, 0.7, 0.99, 1, 1.2, -1, math.NaN(), math.Inf(1))})
		}
		return ReportLoad{loads}
	case n <= 18:
		return PickUpTasks{worker, []string{task, fmt.Sprintf("t%d", rapid.IntRange(0, 25).Draw(t, "task"))}, nil}
	case n <= 20:
		return LayDownTask{worker, task, 0}
	case n <= 22:
		return Unschedule{worker, task, 0}
	case n == 23:
		return Expire{}
	case n <= 27:
		return ClaimTask{Worker: worker, Task: task, Incarnation: one(t, "", "1", "2"), Placement: rapid.Uint64Range(0, 2000).Draw(t, "placement")}
	}
	if rapid.IntRange(0, 5).Draw(t, "several") > 0 {
		return drawSchedule(t)
	}
	var many ScheduleMany
	for range rapid.IntRange(0, 6).Draw(t, "many") {
		many.Tasks = append(many.Tasks, drawSchedule(t))
	}
	return many
}

func drawSchedule(t *rapid.T) Schedule {
	return Schedule{
		Purpose: one(t, append(testPurposes, "never")...), Task: fmt.Sprintf("t%d", rapid.IntRange(0, 25).Draw(t, "task")),
		Preference: drawPreference(t), ReserveMillis: one[int64](t, 0, -5, 100, 500, 3000, 600_000, math.MaxInt64),
	}
}

func drawSelector(t *rapid.T, worker string) muster.Selector {
	return one(t, muster.Selector{Worker: worker}, muster.Selector{Worker: worker}, muster.Selector{Purpose: one(t, testPurposes...)},
		muster.Selector{Region: one(t, testRegions...)}, muster.Selector{Labels: map[string]string{"gpu": one(t, "1", "2")}},
		muster.Selector{Purpose: one(t, testPurposes...), Labels: map[string]string{"zone": "1"}})
}

// drawOrder draws what an operator does.
func drawOrder(t *rapid.T, worker string) Op {
	selector := drawSelector(t, worker)
	switch n := rapid.IntRange(0, 20).Draw(t, "order"); {
	case n <= 5:
		return Drain{muster.DrainOrder{
			Selector: selector, Sticky: rapid.Bool().Draw(t, "sticky"), Force: rapid.IntRange(0, 2).Draw(t, "force") > 0,
			DeadlineMillis: one[int64](t, 0, 300, 1000), Policy: one(t, "", muster.DrainWait, muster.DrainHandBack, muster.DrainEnd),
		}}
	case n <= 8:
		return Undrain{Selector: selector}
	case n == 9:
		return Undrain{Drain: rapid.Uint64Range(1, 6).Draw(t, "drain")}
	case n <= 12:
		return Cordon{Selector: selector, Force: rapid.Bool().Draw(t, "force")}
	case n == 13:
		return Cordon{Selector: selector, Off: true}
	case n == 14:
		return SetStrategy{Purpose: one(t, append(testPurposes, "never")...), Strategy: one(t, append(muster.Strategies, "")...)}
	case n == 15:
		return SetDebit{Debit: drawConfig(t).Debit, Reset: rapid.Bool().Draw(t, "reset")}
	}
	return StepDrains{}
}

// TestAgreesWithScan holds State against the oracle over random histories, and
// against copies of itself: one that is fed its events, one that is given the
// same commands, and its own snapshot, with which it goes on.
func TestAgreesWithScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		limits := sched.Limits{Views: rapid.IntRange(1, 8).Draw(t, "views"), Slack: rapid.IntRange(0, 4).Draw(t, "slack")}
		h := history{oracle: newOracle(cfg), state: New(cfg), twin: New(cfg), folded: New(cfg)}
		h.state.limits = limits
		for range rapid.IntRange(1, 150).Draw(t, "length") {
			at := h.oracle.now + muster.Instant(rapid.IntRange(-50, 400).Draw(t, "passes"))
			if rapid.IntRange(0, 60).Draw(t, "leap") == 0 {
				at += GoneMemory
			}
			h.step(t, Command{At: at, Seed: rapid.Uint64().Draw(t, "seed"), Op: drawOp(t)})
			if rapid.IntRange(0, 15).Draw(t, "restore") == 0 {
				h.restore(t, limits)
			}
		}
		h.finish(t)
	})
}

type history struct {
	oracle              *oracle
	state, twin, folded *State
	// taken is a snapshot that is being written, want what it must be.
	taken *Snapshotting
	want  []byte
}

func (h *history) step(t *rapid.T, cmd Command) {
	if h.taken == nil {
		h.want = append([]byte("head"), h.state.Snapshot()...)
		h.taken = h.state.BeginSnapshot([]byte("head"))
	}
	want := h.oracle.apply(cmd)
	got, events := h.state.Apply(cmd)
	compareResults(t, cmd, got, want)
	if _, ok := cmd.Op.(Configure); ok {
		h.folded.Apply(cmd)
	}
	if diff := cmp.Diff(h.oracle.dumpHeld(), h.state.dumpHeld()); diff != "" {
		t.Fatalf("after %#v\noracle -, state +\n%s", cmd.Op, diff)
	}
	for _, ev := range events {
		h.folded.Fold(cmd.At, ev)
	}
	h.applyToTwin(cmd)
	if diff := cmp.Diff(h.oracle.dump(), h.state.dump()); diff != "" {
		t.Fatalf("after %#v\noracle -, state +\n%s", cmd.Op, diff)
	}
	if diff := cmp.Diff(h.state.dump(), h.folded.dump()); diff != "" {
		t.Fatalf("after %#v\nstate -, folded +\n%s", cmd.Op, diff)
	}
	if diff := cmp.Diff(h.state.dumpHeld(), h.folded.dumpHeld()); diff != "" {
		t.Fatalf("after %#v\nstate -, folded +\n%s", cmd.Op, diff)
	}
	if diff := cmp.Diff(h.state.Counts(), h.folded.Counts()); diff != "" {
		t.Fatalf("after %#v\nstate -, folded +\n%s", cmd.Op, diff)
	}
	h.invariants(t, cmd, got)
	h.write(t, one(t, 0, 0, 0, 0, 1))
}

// applyToTwin gives the twin a ScheduleMany as single Schedules, and all else as
// it is.
func (h *history) applyToTwin(cmd Command) {
	many, ok := cmd.Op.(ScheduleMany)
	if !ok {
		h.twin.Apply(cmd)
		return
	}
	h.twin.advance(cmd.At)
	for i, task := range many.Tasks {
		h.twin.Apply(Command{At: cmd.At, Seed: nthSeed(cmd.Seed, i), Op: task})
	}
}

func compareResults(t *rapid.T, cmd Command, got, want Result) {
	if len(got.Many) != len(want.Many) {
		t.Fatalf("%#v: %d results, want %d", cmd.Op, len(got.Many), len(want.Many))
	}
	for i := range want.Many {
		compareResults(t, Command{Op: cmd.Op.(ScheduleMany).Tasks[i]}, got.Many[i], want.Many[i])
	}
	if (got.Err == nil) != (want.Err == nil) {
		t.Fatalf("%#v: error %v, want %v", cmd.Op, got.Err, want.Err)
	}
	switch cmd.Op.(type) {
	case ClaimTask, Schedule:
	default:
		return
	}
	if got.Err != nil && got.Err.Error() != want.Err.Error() {
		t.Fatalf("%#v: error %v, want %v", cmd.Op, got.Err, want.Err)
	}
	got.Err, want.Err = nil, nil
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%#v: oracle -, state +\n%s", cmd.Op, diff)
	}
}

// invariants are what holds however workers are chosen.
func (h *history) invariants(t *rapid.T, cmd Command, got Result) {
	on := map[string]string{}
	for _, task := range h.state.AllTasks("") {
		key := task.Purpose + " " + task.Task
		if other, twice := on[key]; twice {
			t.Fatalf("task %s is on %s and on %s", key, other, task.Worker)
		}
		on[key] = task.Worker
	}
	for _, id := range h.state.Workers(AllPurposes) {
		w, _ := h.state.Worker(id)
		if len(w.Tasks)+len(w.Reserved) == 0 && w.Debit != 0 {
			t.Fatalf("worker %s has no task and a debit of %v", id, w.Debit)
		}
	}
	if op, ok := cmd.Op.(Schedule); ok && got.Err == nil && !got.Already {
		w, _ := h.state.Worker(got.Worker)
		if limit := w.Info.MaxTasks; limit > 0 && len(w.Tasks)+len(w.Reserved) > limit {
			t.Fatalf("scheduling %s brought %s above its %d tasks", op.Task, w.ID, limit)
		}
		why, ok := h.state.Why(op.Purpose, op.Task)
		if !ok || why.Chosen.Worker != got.Worker {
			t.Fatalf("why of %s: %v %v", op.Task, why, ok)
		}
	}
}

// write goes on with the snapshot. However the state has changed since it began, it
// is that of the beginning.
func (h *history) write(t *rapid.T, most int) {
	if !h.taken.Write(most) {
		return
	}
	if !bytes.Equal(h.taken.Bytes(), h.want) {
		t.Fatal("a snapshot that was written piece by piece is another one")
	}
	h.taken = nil
}

func (h *history) restore(t *rapid.T, limits sched.Limits) {
	restored, err := Restore(h.state.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(restored.Snapshot(), h.state.Snapshot()) {
		t.Fatal("a restored state has another snapshot")
	}
	restored.limits = limits
	h.state = restored
}

func (h *history) finish(t *rapid.T) {
	if !bytes.Equal(h.state.Snapshot(), h.twin.Snapshot()) {
		t.Fatal("the same commands, and other snapshots")
	}
}

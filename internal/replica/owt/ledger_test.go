package owt

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// quiet returns a configuration that places as OWT does, without debits.
func quiet() state.Config {
	cfg := state.DefaultConfig()
	cfg.Debit = state.Debit{Mode: state.DebitOff}
	return cfg
}

// drawInfo draws a worker's info, some with members that we do not know.
func drawInfo(t *rapid.T) muster.Info {
	raw := rapid.SampledFrom([]string{
		`{"ip":"10.0.0.1","state":2,"maxLoad":0.85,"capacity":{"isps":[],"regions":[]}}`,
		`{"ip":"<&>","maxLoad":1,"capacity":{"isps":["é"],"regions":["\u2028"]},"own":{"z":1,"a":[null]}}`,
		`{}`,
	}).Draw(t, "info")
	info, err := muster.ParseInfo(json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func drawOp(t *rapid.T) state.Op {
	purpose := rapid.SampledFrom([]string{"webrtc", "video", "own<\"kind\">"}).Draw(t, "purpose")
	worker := purpose + rapid.SampledFrom([]string{"-1", "-2", "-3"}).Draw(t, "worker")
	task := rapid.SampledFrom([]string{"t1", "t2", "t3", "t4", "ü\u2028"}).Draw(t, "task")
	switch rapid.IntRange(0, 11).Draw(t, "op") {
	case 0, 1, 2:
		return state.Join{Purpose: purpose, Worker: worker, Info: drawInfo(t)}
	case 3:
		return state.Quit{Worker: worker}
	case 4:
		return state.ReportState{Worker: worker, State: muster.WorkerState(rapid.IntRange(0, 2).Draw(t, "state"))}
	case 5, 6:
		load := rapid.SampledFrom([]float64{0, 0.1, 0.30000000000000004, 0.85, 1, 1e-7}).Draw(t, "load")
		return state.ReportLoad{Loads: []state.WorkerLoad{{Worker: worker, Load: load}}}
	case 7:
		return state.PickUpTasks{Worker: worker, Tasks: []string{task, "t1"}}
	case 8:
		return state.LayDownTask{Worker: worker, Task: task}
	case 9:
		return state.Unschedule{Worker: worker, Task: task}
	case 10:
		return state.WorkerLost{Worker: worker}
	}
	return state.Schedule{Purpose: purpose, Task: task, ReserveMillis: rapid.SampledFrom([]int64{0, 1000, 30000}).Draw(t, "reserve")}
}

// history is a master with random commands.
type history struct {
	master *ledger
	at     muster.Instant
}

func (h *history) step(t *rapid.T) (bodies []json.RawMessage) {
	h.at += muster.Instant(rapid.IntRange(0, 20).Draw(t, "ms"))
	_, events := h.master.apply(state.Command{At: h.at, Seed: rapid.Uint64().Draw(t, "seed"), Op: drawOp(t)})
	return updates(events)
}

// expire lets every reservation expire, which each manager does by itself.
func (h *history) expire(copies ...*ledger) {
	h.at += state.MaxReserveMillis + 1
	for _, l := range append(copies, h.master) {
		l.apply(state.Command{At: h.at, Op: state.Expire{}})
	}
}

func follow(t *rapid.T, slave *ledger, at muster.Instant, bodies []json.RawMessage) {
	for _, body := range bodies {
		m, err := parse(body)
		if err != nil || m.Type != typeUpdate {
			t.Fatalf("%s: %v", body, err)
		}
		e, err := parseEvent(m.Data)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		// An unscheduled after a worker_laydown has nothing left to do.
		if err := slave.update(at, e); err != nil && e.Type != unscheduled {
			t.Fatalf("folding %s: %v", body, err)
		}
	}
}

func adoptJSON(t *rapid.T, l *ledger, at muster.Instant, data []byte) {
	d, err := parseRuntime(data)
	if err != nil || len(d.invalid) > 0 {
		t.Fatalf("%s: %v %v", data, err, d)
	}
	l.adopt(at, d)
}

// same compares everything that OWT transmits of two copies.
func same(t *rapid.T, what string, a, b *ledger) {
	if x, y := string(a.runtimeJSON()), string(b.runtimeJSON()); x != y {
		t.Fatalf("%s: they differ (- master, + slave):\n%s", what, cmp.Diff(pretty(x), pretty(y)))
	}
	tasks := func(l *ledger) (all []string) {
		for _, task := range l.state.AllTasks("") {
			all = append(all, fmt.Sprint(task.Purpose, task.Task, task.Worker, task.Running))
		}
		slices.Sort(all)
		return all
	}
	if diff := cmp.Diff(tasks(a), tasks(b)); diff != "" {
		t.Fatalf("%s: tasks differ:\n%s", what, diff)
	}
}

func pretty(data string) string {
	var v any
	if json.Unmarshal([]byte(data), &v) != nil {
		return data
	}
	text, _ := json.MarshalIndent(v, "", " ")
	return string(text) + "\n" + data
}

func TestSlaveThatHearsEverythingIsEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history{master: newLedger(state.DefaultConfig())}
		slave := newLedger(state.DefaultConfig())
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			follow(t, slave, h.at, h.step(t))
			same(t, "while folding", h.master, slave)
			for _, id := range h.master.state.Workers(state.AllPurposes) {
				a, _ := h.master.state.Worker(id)
				b, _ := slave.state.Worker(id)
				if diff := cmp.Diff(a, b); diff != "" {
					t.Fatalf("the workers differ, debits included:\n%s", diff)
				}
			}
		}
		h.expire(slave)
		same(t, "after the reservations", h.master, slave)
		// Debits and learned costs are the same as well.
		if diff := cmp.Diff(h.master.state.Counts(), slave.state.Counts()); diff != "" {
			t.Fatalf("counts differ:\n%s", diff)
		}
	})
}

func TestRuntimeDataRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history{master: newLedger(quiet())}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			h.step(t)
		}
		slave := newLedger(quiet())
		adoptJSON(t, slave, h.at, h.master.runtimeJSON())
		same(t, "after taking over the state", h.master, slave)
		for range rapid.IntRange(0, 20).Draw(t, "more") {
			follow(t, slave, h.at, h.step(t))
		}
		same(t, "after more", h.master, slave)
		h.expire(slave)
		same(t, "after the reservations", h.master, slave)
	})
}

// A slave that has missed updates is repaired by the full state.
func TestRuntimeDataMendsACopyWithGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history{master: newLedger(quiet())}
		slave := newLedger(quiet())
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			for _, body := range h.step(t) {
				if rapid.Bool().Draw(t, "lost") {
					continue
				}
				m, _ := parse(body)
				e, _ := parseEvent(m.Data)
				_ = slave.update(h.at, e) // may refer to something that it missed
			}
		}
		adoptJSON(t, slave, h.at, h.master.runtimeJSON())
		same(t, "mended", h.master, slave)
	})
}

func TestAdoptingWhatAgreesProlongsNoReservation(t *testing.T) {
	l := newLedger(quiet())
	info, _ := muster.ParseInfo(json.RawMessage(`{}`))
	for _, op := range []state.Op{
		state.Join{Purpose: "video", Worker: "w", Info: info},
		state.ReportLoad{Loads: []state.WorkerLoad{{Worker: "w", Load: 0.1}}},
		state.Schedule{Purpose: "video", Task: "t", ReserveMillis: 1000},
	} {
		l.apply(state.Command{At: 100, Op: op})
	}
	d, err := parseRuntime(l.runtimeJSON())
	if err != nil {
		t.Fatal(err)
	}
	l.adopt(900, d)
	if got := l.state.AllTasks("")[0].Until; got != 1100 {
		t.Errorf("the reservation ends at %d, want 1100", got)
	}
}

// two returns a copy with two workers of a purpose, and a task on the first.
func two(t *testing.T) *ledger {
	t.Helper()
	l := newLedger(quiet())
	l.purpose("video")
	for _, op := range []state.Op{join("w1"), join("w2"), load("w1", 0), load("w2", 0.1), schedule("t")} {
		if err := l.carryOut(1, op); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// A slave may still hold a reservation that its master has ended: the master's
// update moves the task.
func TestMastersWordMovesATask(t *testing.T) {
	for _, body := range []string{
		`{"type":"scheduled","payload":{"purpose":"video","task":"t","worker":"w2","reserve_time":5000}}`,
		`{"type":"worker_pickup","payload":{"worker":"w2","tasks":["t"]}}`,
	} {
		l := two(t)
		e, err := parseEvent(json.RawMessage(body))
		if err == nil {
			err = l.update(2, e)
		}
		if on, _ := l.state.Scheduled("video", "t"); err != nil || on != "w2" {
			t.Errorf("after %s the task is on %s: %v", body, on, err)
		}
	}
}

func TestReservationIsNoLongerThanOneMayBe(t *testing.T) {
	l := two(t)
	e, err := parseEvent(json.RawMessage(`{"type":"scheduled","payload":{"purpose":"video","task":"t2","worker":"w2","reserve_time":1e15}}`))
	if err == nil {
		err = l.update(2, e)
	}
	if err != nil {
		t.Fatal(err)
	}
	tasks := l.state.AllTasks("video")
	if got := tasks[len(tasks)-1].Until; got != 2+state.MaxReserveMillis {
		t.Errorf("it ends at %d, want a day later", got)
	}
}

func TestPurposeThatTheMasterDoesNotKnowIsForgotten(t *testing.T) {
	l := two(t)
	d, err := parseRuntime(json.RawMessage(`{"schedulers":{"audio":{"workers":{},"tasks":{}}},"workers":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	l.adopt(2, d)
	if counts := l.state.Counts(); len(counts) != 1 || counts[0].Purpose != "audio" {
		t.Errorf("the purposes are %v, want audio alone", counts)
	}
}

package owt

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// line is a message of a recorded OWT cluster.
type line struct {
	Exchange string          `json:"exchange"`
	Key      string          `json:"key"`
	Body     json.RawMessage `json:"body"`
}

const management = "owt-cluster.management"

func recording(t testing.TB, name string) (lines []line) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../../testdata/owt-wire", name))
	if err != nil {
		t.Fatal(err)
	}
	for scan := bufio.NewScanner(bytes.NewReader(raw)); scan.Scan(); {
		var l line
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// bodiesOf returns the bodies of one type that the recorded managers published.
func bodiesOf(lines []line, kind string) (bodies []string) {
	for _, l := range lines {
		if l.Exchange == management && strings.HasPrefix(string(l.Body), `{"type":"`+kind+`"`) {
			bodies = append(bodies, string(l.Body))
		}
	}
	return bodies
}

// commands returns the commands of the recorded workers and callers.
func commands(t testing.TB, lines []line) (ops []state.Op) {
	t.Helper()
	for _, l := range lines {
		if l.Key != "owt-cluster" {
			continue
		}
		var call struct {
			Method string            `json:"method"`
			Args   []json.RawMessage `json:"args"`
		}
		if err := json.Unmarshal(l.Body, &call); err != nil {
			t.Fatal(err)
		}
		if op := command(t, call.Method, call.Args); op != nil {
			ops = append(ops, op)
		}
	}
	return ops
}

func command(t testing.TB, method string, args []json.RawMessage) state.Op {
	text := func(i int) string { return decode[string](t, args[i]) }
	switch method {
	case "join":
		info, err := muster.ParseInfo(args[2])
		if err != nil {
			t.Fatal(err)
		}
		return state.Join{Purpose: text(0), Worker: text(1), Info: info}
	case "quit":
		return state.Quit{Worker: text(0)}
	case "reportState":
		return state.ReportState{Worker: text(0), State: decode[muster.WorkerState](t, args[1])}
	case "reportLoad":
		return state.ReportLoad{Loads: []state.WorkerLoad{{Worker: text(0), Load: decode[float64](t, args[1])}}}
	case "pickUpTasks":
		return state.PickUpTasks{Worker: text(0), Tasks: decode[[]string](t, args[1])}
	case "layDownTask":
		return state.LayDownTask{Worker: text(0), Task: text(1)}
	case "schedule":
		return state.Schedule{Purpose: text(0), Task: text(1), Preference: args[2], ReserveMillis: decode[int64](t, args[3])}
	case "unschedule":
		return state.Unschedule{Worker: text(0), Task: text(1)}
	}
	return nil // a question
}

func decode[T any](t testing.TB, raw json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// departed are the tasks in the recorded state whose worker had quit. OWT keeps
// them until their reservations expire, and we do not: see docs/decisions.
const departed = `"s3":{"reserve_time":30000,"worker":"webrtc-3@10.0.0.3"},` +
	`"s4":{"reserve_time":30000,"worker":"webrtc-3@10.0.0.3"},` +
	`"s5":{"reserve_time":30000,"worker":"webrtc-3@10.0.0.3"},`

// without removes the part from the text, which must contain it.
func without(t testing.TB, text, part string) string {
	t.Helper()
	before, after, ok := strings.Cut(text, part)
	if !ok {
		t.Fatalf("%s is not in\n%s", part, text)
	}
	return before + after
}

// recordedState returns the state that the recorded master sent.
func recordedState(t testing.TB) string {
	t.Helper()
	body := bodiesOf(recording(t, "election-failover.jsonl"), typeRuntime)[0]
	return strings.TrimSuffix(strings.TrimPrefix(body, `{"type":"runtimeData","data":`), "}")
}

func TestRecordedStateIsWrittenAsItWasRead(t *testing.T) {
	data := recordedState(t)
	d, err := parseRuntime(json.RawMessage(data))
	if err != nil || len(d.invalid) > 0 {
		t.Fatal(err, d.invalid)
	}
	l := newLedger(quiet())
	l.adopt(1, d)
	if got, want := string(l.runtimeJSON()), without(t, data, departed); got != want {
		t.Errorf("the state is\n%s\nwant\n%s", got, want)
	}
}

func TestRecordedUpdatesMakeTheRecordedState(t *testing.T) {
	l := newLedger(quiet())
	l.adoptPurpose(1, "sample") // from before the recording
	for _, body := range bodiesOf(recording(t, "election-failover.jsonl"), typeUpdate) {
		foldBody(t, l, body)
	}
	if got, want := string(l.runtimeJSON()), without(t, recordedState(t), departed); got != want {
		t.Errorf("the state is\n%s\nwant\n%s", got, want)
	}
}

func foldBody(t *testing.T, l *ledger, body string) {
	t.Helper()
	m, err := parse(json.RawMessage(body))
	if err != nil {
		t.Fatal(err)
	}
	e, err := parseEvent(m.Data)
	if err == nil {
		err = l.update(2, e)
	}
	if err != nil {
		t.Errorf("%s: %v", body, err)
	}
}

// The recorded events of a real agent fold without errors, too.
func TestRecordedAgentFolds(t *testing.T) {
	l := newLedger(quiet())
	info, _ := muster.ParseInfo(json.RawMessage(`{}`))
	l.fold(1, muster.WorkerJoined{Purpose: "sample", Worker: "sample-47e0d0c32ff5b8eb4cc9@192.0.2.2", Info: info})
	for _, body := range bodiesOf(recording(t, "agent-lifecycle.jsonl"), typeUpdate) {
		foldBody(t, l, body)
	}
	const tasks = `"tasks":{"task1":{"reserve_time":1000,"worker":"sample-47e0d0c32ff5b8eb4cc9@192.0.2.2"},` +
		`"task2":{"reserve_time":60000,"worker":"sample-47e0d0c32ff5b8eb4cc9@192.0.2.2"},` +
		`"task3":{"worker":"sample-47e0d0c32ff5b8eb4cc9@192.0.2.2"}}`
	if got := string(l.runtimeJSON()); !strings.Contains(got, tasks) {
		t.Errorf("the state is\n%s\nwant in it\n%s", got, tasks)
	}
}

// For the calls of the recorded agent our master publishes what the recorded one
// did, except that a shorter reservation never shortens a longer one: a task that
// was never placed has the default.
func TestRecordedAgentIsToldAlike(t *testing.T) {
	const agent = "sample-47e0d0c32ff5b8eb4cc9@192.0.2.2"
	lines := recording(t, "agent-lifecycle.jsonl")
	l := newLedger(quiet())
	info, _ := muster.ParseInfo(json.RawMessage(`{}`))
	ops := append([]state.Op{ // from before the recording
		state.Join{Purpose: "sample", Worker: agent, Info: info},
		state.ReportLoad{Loads: []state.WorkerLoad{{Worker: agent, Load: 0.001}}},
	}, commands(t, lines)...)
	var got []string
	for i, op := range ops {
		_, events := l.apply(state.Command{At: 1, Op: op})
		for _, body := range updates(events) {
			if i >= 2 {
				got = append(got, string(body))
			}
		}
	}
	want := bodiesOf(lines, typeUpdate)
	for i, body := range want {
		want[i] = strings.Replace(body, `"task":"task1","worker":"`+agent+`","reserve_time":1000`, `"task":"task1","worker":"`+agent+`","reserve_time":60000`, 1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("updates (- recorded, + ours):\n%s", diff)
	}
}

package manager

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
)

// manyAnswer is the answer to scheduleMany.
type manyAnswer struct {
	Data struct {
		Tasks []struct {
			ID          string
			Placement   uint64
			Error       string
			Explanation *muster.Explanation
		}
		Workers map[string]json.RawMessage
	}
	Err string
}

func askMany(t *testing.T, c *core, args string) manyAnswer {
	t.Helper()
	var answer manyAnswer
	if raw := ask(t, c, "scheduleMany", args); json.Unmarshal([]byte(raw), &answer) != nil {
		t.Fatalf("%s is answered %s", args, raw)
	}
	return answer
}

// Tasks of several purposes are placed in one call. What is wrong with one of
// them is its own answer.
func TestScheduleManyAnswersEachTask(t *testing.T) {
	c := newTestCore()
	ask(t, c, "join", `["conference","c-1",`+testInfo+`]`)
	ask(t, c, "reportLoad", `["c-1",0.1]`)
	ask(t, c, "join", `["video","v-1",{"maxLoad":0.9,"max_tasks":1,"capacity":{"isps":[],"regions":[]}}]`)
	ask(t, c, "reportLoad", `["v-1",0.1]`)
	answer := askMany(t, c, `[[
		{"purpose":"conference","task":"a","preference":"x","reserveTime":1000},
		{"purpose":"conference","task":""},
		{"purpose":"video","task":"a"},
		{"purpose":"video","task":"b"},
		{"purpose":"never","task":"a"},
		17,
		{"purpose":"conference","task":"a"},
		{"purpose":"conference","task":"b","preference":{"isp":"\u0007"}}
	]]`)
	want := []string{"c-1", "scheduleMany: tasks[1].task must be a non-empty string", "v-1", "Failed in scheduling video worker, reason: No worker available, all in full load.",
		"No scheduler for purpose: never", "scheduleMany: tasks[5] must be an object", "c-1",
		"scheduleMany: tasks[7].preference.isp must not have control characters, such as line breaks"}
	for i, task := range answer.Data.Tasks {
		if got := task.ID + task.Error; got != want[i] {
			t.Errorf("task %d: %s, want %s", i, got, want[i])
		}
		if task.Explanation != nil || (task.ID != "") != (task.Placement != 0) {
			t.Errorf("task %d: placement %d, explanation %v", i, task.Placement, task.Explanation)
		}
	}
	if len(answer.Data.Tasks) != len(want) || len(answer.Data.Workers) != 2 || string(answer.Data.Workers["c-1"]) != testInfo {
		t.Errorf("got %d answers, and the workers %s", len(answer.Data.Tasks), answer.Data.Workers)
	}
	if n := valueOf(t, c.measures.placements.WithLabelValues("conference", "placed", "")); n != 2 {
		t.Errorf("%v placements of conference counted, want 2", n)
	}
	expect(t, ask(t, c, "getScheduled", `["video","a"]`), `{"data":"v-1","type":"callback"}`)
}

func TestScheduleManyExplainsWhereAsked(t *testing.T) {
	c := newTestCore()
	ask(t, c, "join", `["video","v-1",`+testInfo+`]`)
	ask(t, c, "reportLoad", `["v-1",0.1]`)
	for explain, want := range map[string][2]bool{`true`: {true, true}, `"refusal"`: {false, true}, `false`: {}} {
		answer := askMany(t, c, `[[{"purpose":"video","task":`+fmt.Sprintf("%q", "t-"+explain)+`},{"purpose":"never","task":"u"}],{"explain":`+explain+`}]`)
		placed, refused := answer.Data.Tasks[0].Explanation, answer.Data.Tasks[1].Explanation
		if (placed != nil) != want[0] || (refused != nil) != want[1] {
			t.Errorf("explain %s: the placed one %v, the refused one %v", explain, placed, refused)
		}
	}
}

func TestScheduleManyBeforeTheManagerIsInService(t *testing.T) {
	c := newTestCore()
	c.inService = false
	expect(t, ask(t, c, "scheduleMany", `[[{"purpose":"video","task":"t"},{"purpose":"video","task":"u"}]]`),
		`{"data":"error","type":"callback","err":"cluster manager is not ready."}`)
	if n := valueOf(t, c.measures.placements.WithLabelValues("other", "refused", "not-ready")); n != 2 {
		t.Errorf("%v refusals counted, want 2", n)
	}
}

// The longest answer fits into a message of NATS: a worker of the largest info
// for each task, with explanations.
func TestScheduleManyAnswersAreBounded(t *testing.T) {
	c := newTestCore()
	var tasks []string
	for i := range muster.MaxScheduleMany {
		id := fmt.Sprintf("%03d-%s", i, strings.Repeat("w", muster.MaxName-4))
		info := `{"maxLoad":1,"max_tasks":1,"own":"` + strings.Repeat("x", 2000) + `"}`
		ask(t, c, "join", `["video","`+id+`",`+info+`]`)
		ask(t, c, "reportLoad", `["`+id+`",0.1]`)
		tasks = append(tasks, fmt.Sprintf(`{"purpose":"video","task":"t-%d"}`, i))
	}
	raw := ask(t, c, "scheduleMany", `[[`+strings.Join(tasks, ",")+`],{"explain":true}]`)
	if len(raw) > 1<<20 {
		t.Errorf("the answer has %d bytes", len(raw))
	}
	var answer manyAnswer
	if err := json.Unmarshal([]byte(raw), &answer); err != nil {
		t.Fatal(err)
	}
	if n := len(answer.Data.Workers); n == 0 || n == len(tasks) {
		t.Errorf("the infos of %d workers are in the answer, want some", n)
	}
	if d := answer.Data.Tasks; d[0].Explanation == nil || d[len(d)-1].Explanation != nil || d[len(d)-1].ID == "" {
		t.Error("the first task is to be explained, and the last one is not")
	}
}

package owt

import (
	"encoding/json"
	"fmt"
	"testing"
)

// A Node master passes a task on as its caller sent it: an object from a SIP
// portal, null from a bridge.
func TestUpdatesWithTasksOfAnyKind(t *testing.T) {
	for task, name := range map[string]string{`{"room":"r","task":"t"}`: "t", `null`: "null", `7`: "7", `"t"`: "t"} {
		l := newLedger(quiet())
		say := func(kind, payload string) {
			t.Helper()
			e, err := parseEvent(json.RawMessage(fmt.Sprintf(`{"type":%q,"payload":%s}`, kind, payload)))
			if err == nil {
				err = l.update(1000, e)
			}
			if err != nil {
				t.Errorf("%s %s: %v", kind, payload, err)
			}
		}
		say(workerJoin, `{"purpose":"sip","worker":"w","info":{"ip":"10.0.0.1","max_load":0.85}}`)
		say(scheduled, `{"purpose":"sip","task":`+task+`,"worker":"w","reserve_time":10000}`)
		if on, err := l.state.Scheduled("sip", name); on != "w" {
			t.Errorf("%s is on %q, %v", task, on, err)
		}
		say(workerPickUp, `{"worker":"w","tasks":[`+task+`]}`)
		if tasks, _ := l.state.Tasks("w"); len(tasks) != 1 || tasks[0] != name {
			t.Errorf("%s runs as %v", task, tasks)
		}
		say(workerLayDown, `{"worker":"w","task":`+task+`}`)
		say(unscheduled, `{"worker":"w","task":`+task+`}`)
		if all := l.state.AllTasks(""); len(all) != 0 {
			t.Errorf("%s is left: %v", task, all)
		}
	}
	w, err := parseWorker(json.RawMessage(`{"load":0.1,"info":{},"tasks":["a",null,{"task":"b"},""]}`))
	if want := []string{"a", "null", "b"}; err != nil || fmt.Sprint(w.tasks) != fmt.Sprint(want) {
		t.Errorf("tasks %v, %v", w.tasks, err)
	}
}

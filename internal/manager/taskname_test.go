package manager

import (
	"testing"

	"github.com/tidwall/gjson"
)

// A sip portal of OWT 4.2 to master names its task by an object, a REST call
// of 5.1 without a target cluster by null, and the worker that gets the task
// picks it up under the plain name.
func TestTasksOfAnyKind(t *testing.T) {
	c := newTestCore()
	const info = `{"ip":"10.0.0.1","purpose":"sip","maxLoad":1,"capacity":{"isps":[],"regions":[]}}`
	for _, w := range []string{"sip-1", "sip-2"} {
		expect(t, ask(t, c, "join", `["sip","`+w+`",`+info+`]`), `{"data":"in-service","type":"callback"}`)
		ask(t, c, "reportLoad", `["`+w+`",0.1]`)
	}
	for _, test := range []struct{ task, other, name string }{
		{`{"room":"r1","task":"r1"}`, `{"task":"r1"}`, `"r1"`},
		{`null`, `"null"`, `"null"`},
		{`7`, `7.0`, `"7"`},
		{`true`, `"true"`, `"true"`},
		{`["a",1]`, `[ "a", 1.0 ]`, ""},
		{`{"b":1,"a":2}`, `{"a":2,"b":1}`, ""},
	} {
		if test.name == "" {
			test.name = test.other
		}
		placed := ask(t, c, "schedule", `["sip",`+test.task+`,"preference",10000]`)
		expect(t, ask(t, c, "schedule", `["sip",`+test.other+`,"preference",10000]`), placed)
		worker := gjson.Get(ask(t, c, "getScheduled", `["sip",`+test.name+`]`), "data").Raw
		expect(t, ask(t, c, "pickUpTasks", `[`+worker+`,[`+test.name+`]]`), `{"data":"ok","type":"callback"}`)
		expect(t, ask(t, c, "schedule", `["sip",`+test.task+`,"preference",10000]`), placed)
		expect(t, ask(t, c, "layDownTask", `[`+worker+`,`+test.other+`]`), `{"data":"ok","type":"callback"}`)
		expect(t, ask(t, c, "unschedule", `[`+worker+`,`+test.task+`]`), `{"data":"ok","type":"callback"}`)
		expect(t, ask(t, c, "getTasks", `[`+worker+`]`), `{"data":[],"type":"callback"}`)
	}
}

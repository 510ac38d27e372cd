package manager

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	const info = `{"ip":"10.0.0.1","purpose":"webrtc","maxLoad":0.85,"capacity":{"isps":[],"regions":[]}}`
	tests := []struct{ method, args, want string }{
		{"join", `[]`, "join: argument 1 (purpose) must be a non-empty string"},
		{"join", `["webrtc"]`, "join: argument 2 (worker) must be a non-empty string"},
		{"join", `["webrtc",""]`, "join: argument 2 (worker) must be a non-empty string"},
		{"join", `["webrtc","w"]`, "join: argument 3: info must be a JSON object"},
		{"join", `["webrtc","w",[]]`, "join: argument 3: info must be a JSON object"},
		{"join", `["webrtc","w",{"maxLoad":"high"}]`, "join: argument 3: info.maxLoad must be a float64, not a string"},
		{"join", `["webrtc","w",{"max_tasks":-1}]`, "join: argument 3: info.max_tasks must not be negative (0 means no limit)"},
		{"join", `["webrtc","` + strings.Repeat("w", 256) + `",` + info + `]`, "join: argument 2 (worker) must not be longer than 255 bytes"},
		{"quit", `[7]`, "quit: argument 1 (worker) must be a non-empty string"},
		{"keepAlive", `[null]`, "keepAlive: argument 1 (worker) must be a non-empty string"},
		{"reportState", `["w",3]`, "reportState: argument 2 (state) must be 0, 1 or 2"},
		{"reportState", `["w",1.5]`, "reportState: argument 2 (state) must be 0, 1 or 2"},
		{"reportState", `["w","ready"]`, "reportState: argument 2 (state) must be a number"},
		{"reportLoad", `["w"]`, "reportLoad: argument 2 (load) must be a number"},
		{"reportLoad", `["w",-0.1]`, "reportLoad: argument 2 (load) must not be negative"},
		{"reportLoad", `["w",1e999]`, "reportLoad: argument 2 (load) must be a number"},
		{"pickUpTasks", `["w","t"]`, "pickUpTasks: argument 2 (tasks) must be an array of strings"},
		{"pickUpTasks", `["w",["t",""]]`, "pickUpTasks: argument 2 (tasks) must be an array of non-empty strings"},
		{"pickUpTasks", `["w",[{"task":""}]]`, "pickUpTasks: argument 2 (tasks) must be an array of non-empty strings"},
		{"layDownTask", `["w",{"task":""}]`, "layDownTask: argument 2 (task) must be a non-empty string"},
		{"schedule", `["webrtc"]`, "schedule: argument 2 (task) must be a non-empty string"},
		{"schedule", `["webrtc","t",{},"30s"]`, "schedule: argument 4 (reserveTime) must be a number"},
		{"scheduleMany", `[]`, "scheduleMany: argument 1 (tasks) must be a non-empty array of objects"},
		{"scheduleMany", `[{}]`, "scheduleMany: argument 1 (tasks) must be a non-empty array of objects"},
		{"scheduleMany", `[[]]`, "scheduleMany: argument 1 (tasks) must be a non-empty array of objects"},
		{"unschedule", `["w"]`, "unschedule: argument 2 (task) must be a non-empty string"},
		{"getScheduled", `["webrtc"]`, "getScheduled: argument 2 (task) must be a non-empty string"},
		{"listTasks", `["all",[]]`, "listTasks: argument 2 (query) must be an object with the members limit, after, names, worker, task, state, region and labels (it must not be of type array)"},
		{"listTasks", `["all",{"limit":1001}]`, "listTasks: argument 2 (query.limit) must be 1 to 1000"},
		{"listWorkers", `["all",{"limit":0}]`, "listWorkers: argument 2 (query.limit) must be 1 to 1000"},
		{"listWorkers", `["all",{"after":"x"}]`, "listWorkers: argument 2 (query.after) must be the member next of the page before"},
		{"bogus", `[]`, "Not support method"},
		{"", `[]`, "Not support method"},
	}
	for _, test := range tests {
		_, err := decode(test.method, argsOf(t, test.args))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s%.60s: %v, want %s", test.method, test.args, err, test.want)
		}
	}
}

func TestDecodeTakesWhatOWTSends(t *testing.T) {
	tests := []struct{ method, args string }{
		{"schedule", `["sample","room1","preference",30000]`},
		{"schedule", `["portal","p1",{"isp":"isp","region":"region"},30000]`},
		{"schedule", `["sample","room1"]`},
		{"schedule", `["sample","room1",null,null]`},
		{"schedule", `["sample","room1",[1,2],-5]`},
		{"schedule", `["sample","room1",{},1e300]`},
		{"pickUpTasks", `["w",[]]`},
		{"getWorkers", `["all"]`},
		{"registerInfo", `[{"any":"thing"}]`},
		{"leaveConference", `[]`},
		{"getClusterID", `[]`},
	}
	for _, test := range tests {
		if _, err := decode(test.method, argsOf(t, test.args)); err != nil {
			t.Errorf("%s%s: %v", test.method, test.args, err)
		}
	}
}

// FuzzDecode holds that no request can crash a manager: whatever arrives is
// understood, or refused with a text.
func FuzzDecode(f *testing.F) {
	for method := range methods {
		f.Add([]byte(`{"method":"` + method + `","args":["webrtc","w",{"maxLoad":0.9},1000,{"explain":true}],"corrID":0,"replyTo":"q"}`))
		f.Add([]byte(`{"method":"` + method + `","args":[]}`))
	}
	f.Add([]byte(`{"method":"scheduleMany","args":[[{"purpose":"webrtc","task":"t"},{"task":{"task":"u"},"purpose":"v","reserveTime":1},7],{"explain":true}]}`))
	f.Add([]byte(`{"method":"schedule","args":["v","t",{"labels":{"a":{"in":["b"]}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := bus.ParseCall(body)
		if err != nil {
			return
		}
		c := newTestCore()
		act, err := decode(call.Method, call.Args)
		if err != nil {
			if err.Error() == "" {
				t.Fatalf("%q is refused without a reason", body)
			}
			return
		}
		answers := 0
		req := bus.NewRequest(call, func(reply bus.Reply) {
			answers++
			if raw := bus.AppendReply(nil, reply); !json.Valid(raw) {
				t.Fatalf("%q is answered with %q", body, raw)
			}
		})
		act(c, req)
		c.flush()
		if answers != 1 {
			t.Fatalf("%q was answered %d times", body, answers)
		}
	})
}

func argsOf(t *testing.T, raw string) bus.Args {
	t.Helper()
	var args bus.Args
	if err := json.Unmarshal([]byte(raw), &args); err != nil {
		t.Fatal(err)
	}
	return args
}

package manager

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// named are the arguments of each method that are names, and arguments that are
// right.
var named = map[string]struct {
	args  []any
	names []int
}{
	"join":          {[]any{"video", "w", map[string]any{}}, []int{0, 1}},
	"quit":          {[]any{"w"}, []int{0}},
	"keepAlive":     {[]any{"w"}, []int{0}},
	"reportState":   {[]any{"w", 2}, []int{0}},
	"reportLoad":    {[]any{"w", 0.5}, []int{0}},
	"pickUpTasks":   {[]any{"w", []string{"t"}}, []int{0}},
	"layDownTask":   {[]any{"w", "t"}, []int{0, 1}},
	"claimTask":     {[]any{"w", map[string]any{"task": "t"}}, []int{0}},
	"checkWorker":   {[]any{"w", map[string]any{}}, []int{0}},
	"schedule":      {[]any{"video", "t", nil, 1000}, []int{0, 1}},
	"scheduleMany":  {[]any{[]any{map[string]any{"purpose": "video", "task": "t"}}}, nil},
	"unschedule":    {[]any{"w", "t"}, []int{0, 1}},
	"getWorkerAttr": {[]any{"w"}, []int{0}},
	"getWorkers":    {[]any{"video"}, []int{0}},
	"getTasks":      {[]any{"w"}, []int{0}},
	"getScheduled":  {[]any{"video", "t"}, []int{0, 1}},
	"why":           {[]any{"video", "t"}, []int{0, 1}},
	"listWorkers":   {[]any{"video"}, []int{0}},
	"listTasks":     {[]any{"video"}, []int{0}},
	"addManager":    {[]any{"host:1"}, []int{0}},
	"removeManager": {[]any{"host:1"}, []int{0}},

	"drain":       {[]any{selecting("w")}, nil},
	"undrain":     {[]any{selecting("w")}, nil},
	"cordon":      {[]any{selecting("w")}, nil},
	"uncordon":    {[]any{selecting("w")}, nil},
	"setStrategy": {[]any{map[string]any{"purpose": "video"}}, nil},
	"setDebit":    {[]any{map[string]any{"mode": "off"}}, nil},
	"listDrains":  {nil, nil},
	"getDrain":    {[]any{1}, nil},
	"audit":       {nil, nil},
	"record":      {[]any{map[string]any{"action": "a"}}, nil},
}

// selecting is an order for a worker.
func selecting(worker string) map[string]any {
	return map[string]any{"selector": map[string]any{"worker": worker}}
}

// quoted is a name as a JSON string, byte for byte.
func quoted(name string) json.RawMessage {
	raw := []byte{'"'}
	for _, b := range []byte(name) {
		if b < ' ' {
			raw = append(raw, []byte(`\u00`+string("0123456789abcdef"[b>>4])+string("0123456789abcdef"[b&15]))...)
			continue
		}
		raw = append(raw, b)
	}
	return append(raw, '"')
}

func TestBadNamesAreRefusedByEveryMethod(t *testing.T) {
	for method := range methods {
		if _, ok := named[method]; !ok && method != "status" && method != "getClusterID" && method != "registerInfo" && method != "leaveConference" {
			t.Errorf("%s: say above which of its arguments are names", method)
		}
	}
	for method, request := range named {
		for _, at := range request.names {
			for _, name := range badNames {
				args, err := bus.EncodeArgs(request.args...)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := decode(method, args); err != nil {
					t.Fatalf("%s: %v", method, err)
				}
				args[at] = quoted(name)
				_, err = decode(method, args)
				if err == nil || !strings.HasPrefix(err.Error(), method+": argument ") || !strings.Contains(err.Error(), " must ") {
					t.Errorf("%s, argument %d, %.20q: %v", method, at+1, name, err)
				}
			}
		}
	}
}

func TestBadNamesInsideOfArgumentsAreRefused(t *testing.T) {
	many := func(n int) string {
		members := make([]string, n)
		for i := range members {
			members[i] = `"k` + strings.Repeat("x", i) + `":"v"`
		}
		return `{"labels":{` + strings.Join(members, ",") + `}}`
	}
	long := strings.Repeat("x", muster.MaxName+1)
	for _, test := range []struct{ method, args, want string }{
		{"join", `["video","w",{"labels":{"a\nb":"c"}}]`, `info.labels: the key "a\nb" must not have control characters`},
		{"join", `["video","w",{"labels":{"a":"\u0000"}}]`, "info.labels.a must not have control characters"},
		{"join", `["video","w",{"labels":{"` + long + `":"c"}}]`, "must not be longer than 255 bytes"},
		{"join", `["video","w",` + many(muster.MaxLabels+1) + `]`, "info.labels must not be more than 64"},
		{"join", `["video","w",{"capacity":{"isps":["a","b\u007f"]}}]`, "info.capacity.isps[1] must not have control characters"},
		{"join", `["video","w",{"capacity":{"regions":["\u0001"]}}]`, "info.capacity.regions[0] must"},
		{"join", `["video","w",{"capacity":{"video":{"encode":["\u0001"]}}}]`, "info.capacity.video.encode[0] must"},
		{"join", `["video","w",{"own":"` + "\xff" + `"}]`, "info must be valid UTF-8"},
		{"join", `["video","w",{"hostname":"a\tb"}]`, "info.hostname must not have control characters"},
		{"schedule", `["video","t",{"isp":"\u0007"}]`, "preference.isp must not have control characters"},
		{"schedule", `["video","t",{"region":"` + long + `"}]`, "preference.region must not be longer than 255 bytes"},
		{"schedule", `["video","t",{"labels":{"a":{"in":["b","\u0007"]}}}]`, "preference.labels.a must not have control characters"},
		{"schedule", `["video","t",` + many(muster.MaxLabels+1) + `]`, "preference.labels must not be more than 64"},
		{"schedule", `["video","t","` + "\xff" + `"]`, "preference must be valid UTF-8"},
		{"claimTask", `["w",{"task":"a\n"}]`, "(task) must not have control characters"},
		{"claimTask", `["w",{"task":"t","incarnation":"a\u0000"}]`, "(incarnation) must not have control characters"},
		{"drain", `[{"selector":{"worker":"a\n"}}]`, "selector.worker must not have control characters"},
		{"drain", `[{"selector":{"labels":{"a":"\u0000"}}}]`, "selector.labels.a must not have control characters"},
		{"drain", `[{"selector":{"worker":"w"},"by":{"name":"` + long + `"}}]`, "operator.name must not be longer than 255 bytes"},
		{"drain", `[{"selector":{}}]`, "selector must have a worker, a purpose, a region or labels"},
		{"drain", `[{"selector":{"worker":"w"},"polcy":"end"}]`, `unknown field "polcy"`},
		{"drain", `[{"selector":{"worker":"w"},"policy":"kill"}]`, `unknown policy "kill": use one of wait, hand-back, end`},
		{"drain", `[{"selector":{"worker":"w"},"deadline_ms":-1}]`, "deadline_ms must be 0 (none) to"},
		{"undrain", `[{"selector":{"region":"` + long + `"}}]`, "selector.region must not be longer than 255 bytes"},
		{"cordon", `[{"selector":{"purpose":"\u0007"}}]`, "selector.purpose must not have control characters"},
		{"uncordon", `["w"]`, "argument 1 (order) must be an object"},
		{"setStrategy", `[{"purpose":""}]`, "purpose must be a non-empty string"},
		{"setStrategy", `[{"purpose":"video","strategy":"best"}]`, "unknown strategy"},
		{"pickUpTasks", `["w",["a","b\n"]]`, "tasks) [1] must not have control characters"},
	} {
		if _, err := decode(test.method, mustSplit(t, test.args)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s%.60s: %v, want %s", test.method, test.args, err, test.want)
		}
	}
}

// mustSplit takes the arguments out of a JSON array, whose texts need not be
// UTF-8.
func mustSplit(t *testing.T, args string) bus.Args {
	t.Helper()
	call, err := bus.ParseCall([]byte(`{"method":"m","args":` + args + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return call.Args
}

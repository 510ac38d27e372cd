package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/muster-fleet/muster/internal/httpapi"
)

// description is the served description of the API, whose schemas can be asked.
type description struct {
	t        *testing.T
	root     map[string]any
	compiler *jsonschema.Compiler
	used     map[string]bool // operations, as METHOD path
}

// describe reads the description, and validates it against the schema that the OpenAPI
// Initiative publishes for version 3.1 (in testdata, Apache-2.0).
func describe(t *testing.T, raw []byte) *description {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	must(t, err)
	official, err := os.ReadFile("testdata/openapi-3.1.json")
	must(t, err)
	rules, err := jsonschema.UnmarshalJSON(bytes.NewReader(official))
	must(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	must(t, compiler.AddResource("rules.json", rules))
	must(t, compiler.AddResource("muster.json", document))
	schema, err := compiler.Compile("rules.json")
	must(t, err)
	if err := schema.Validate(document); err != nil {
		t.Fatalf("the description is not OpenAPI 3.1: %v", err)
	}
	return &description{t, document.(map[string]any), compiler, map[string]bool{}}
}

// operation finds the operation that a path belongs to.
func (d *description) operation(method, path string) (template string, op map[string]any) {
	path, _, _ = strings.Cut(path, "?")
	want := strings.Split(path, "/")
	for template, item := range d.root["paths"].(map[string]any) {
		have := strings.Split(template, "/")
		fits := len(have) == len(want)
		for i := range have {
			fits = fits && i < len(want) && (have[i] == want[i] || strings.HasPrefix(have[i], "{"))
		}
		if op, ok := item.(map[string]any)[strings.ToLower(method)].(map[string]any); ok && fits {
			d.used[method+" "+template] = true
			return template, op
		}
	}
	d.t.Fatalf("%s %s is not described", method, path)
	return "", nil
}

// answer holds an answer against the description: its status, its type, every member.
func (d *description) answer(method, path string, status int, contentType string, body []byte) {
	d.t.Helper()
	template, op := d.operation(method, path)
	response, ok := op["responses"].(map[string]any)[strconv.Itoa(status)].(map[string]any)
	if !ok {
		d.t.Errorf("%s %s: the status %d is not described", method, template, status)
		return
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 {
		if len(body) > 0 {
			d.t.Errorf("%s %s: %d has a body that is not described: %s", method, template, status, body)
		}
		return
	}
	if _, ok := content[contentType]; !ok {
		d.t.Errorf("%s %s: the type %s is not described", method, template, contentType)
		return
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace
	schema, err := d.compiler.Compile("muster.json#/paths/" + escape(template) + "/" + strings.ToLower(method) + "/responses/" + strconv.Itoa(status) + "/content/" + escape(contentType) + "/schema")
	must(d.t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	must(d.t, err)
	if err := schema.Validate(value); err != nil {
		d.t.Errorf("%s %s: %v\n%s", method, path, err, body)
	}
}

// The description is OpenAPI 3.1, and every operation answers as it says: statuses,
// types and every member.
func TestDescriptionHoldsTheServer(t *testing.T) {
	c := startCluster(t, httpapi.Options{RoomKey: testRoomKey, Version: "v1", Settings: func() []httpapi.Setting { return []httpapi.Setting{{"manager.name", "owt-cluster", "default"}} }})
	c.fleet(6)
	status, raw, header := c.do(http.MethodGet, "/v1/openapi.json", nil)
	if status != http.StatusOK || !strings.Contains(header.Get("Content-Type"), "json") {
		t.Fatalf("the description: %d %s", status, header)
	}
	own, err := c.server.OpenAPI()
	must(t, err)
	var compact bytes.Buffer
	must(t, json.Compact(&compact, own))
	if compact.String() != strings.TrimSpace(string(raw)) {
		t.Error("the printed description differs from the served one")
	}
	d := describe(t, raw)
	task := "/v1/tasks/video/mix%201"
	for _, it := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"POST", "/v1/placements", map[string]any{"purpose": "video", "task": "mix 1", "preference": map[string]any{"labels": map[string]string{"gpu": "t4"}}, "reserve_ms": 60000}, 200},
		{"POST", "/v1/placements", map[string]any{"purpose": "video", "task": "mix 1"}, 200},
		{"POST", "/v1/placements", map[string]any{"purpose": "video", "task": "none", "preference": map[string]any{"labels": map[string]string{"gpu": "h100"}}}, 409},
		{"POST", "/v1/placements", map[string]any{"purpose": "nosuch", "task": "x"}, 404},
		{"GET", "/v1/workers?purpose=video&limit=1&label=gpu%3Da100", nil, 200},
		{"GET", "/v1/workers?state=ready&region=eu", nil, 200},
		{"GET", "/v1/workers/video-0003", nil, 200},
		{"GET", "/v1/workers/nosuch", nil, 404},
		{"GET", "/v1/workers/video-0003/history", nil, 200},
		{"GET", "/v1/workers/video-0003/nodes", nil, 503}, // it is only a name
		{"GET", "/v1/workers/video-0003/nodes/x/log?offset=-100", nil, 503},
		{"GET", "/v1/tasks?state=reserved", nil, 200},
		{"GET", task, nil, 200},
		{"GET", task + "/why", nil, 200},
		{"GET", task + "/story", nil, 200},
		{"GET", "/v1/tasks/video/none/why", nil, 200},
		{"GET", "/v1/tasks/video/none", nil, 404},
		{"GET", "/v1/status", nil, 200},
		{"GET", "/v1/managers", nil, 200},
		{"GET", "/v1/config", nil, 200},
		{"GET", "/v1/history", nil, 200},
		{"PUT", "/v1/workers/video-0003/cordon", nil, 200},
		{"GET", "/v1/workers/video-0003", nil, 200},
		{"DELETE", "/v1/workers/video-0003/cordon", nil, 200},
		{"PUT", "/v1/workers/nosuch/cordon", nil, 404},
		{"POST", "/v1/drains", map[string]any{"selector": map[string]any{"worker": "video-0003"}, "deadline_ms": 60000, "policy": "hand-back"}, 200},
		{"POST", "/v1/drains", map[string]any{"selector": map[string]any{"purpose": "webrtc"}}, 409},
		{"POST", "/v1/drains", map[string]any{"selector": map[string]any{}}, 422},
		{"GET", "/v1/drains", nil, 200},
		{"GET", "/v1/drains/1", nil, 200},
		{"GET", "/v1/workers?state=draining", nil, 200},
		{"DELETE", "/v1/drains/1", nil, 200},
		{"GET", "/v1/drains/77", nil, 404},
		{"POST", "/v1/rooms/my%20room/tokens", map[string]any{"user": "alice"}, 200},
		{"POST", "/v1/rooms/r/tokens", map[string]any{"user": "alice", "owt": "x"}, 422},
		{"PUT", "/v1/purposes/video/strategy", map[string]any{"strategy": "round-robin"}, 204},
		{"GET", "/v1/audit", nil, 200},
		{"DELETE", "/v1/placements/video/mix%201", nil, 204},
		{"DELETE", "/v1/placements/video/mix%201", nil, 404},
	} {
		t.Run(it.method+" "+it.path, func(t *testing.T) {
			status, raw, header := c.do(it.method, it.path, it.body)
			if status != it.status {
				t.Errorf("status %d, want %d: %s", status, it.status, raw)
			}
			d.t = t
			d.answer(it.method, it.path, status, header.Get("Content-Type"), raw)
		})
	}
	d.used["GET /v1/events"] = true // TestEvents
	for path, item := range d.root["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if name := strings.ToUpper(method) + " " + path; !d.used[name] {
				t.Errorf("%s is not tried above", name)
			}
		}
	}
}

// A request that is wrong is refused with problem+json that names the field.
func TestProblemsNameTheField(t *testing.T) {
	c := startCluster(t, httpapi.Options{RoomKey: testRoomKey})
	for _, it := range []struct {
		method, path, body string
		status             int
		code, location     string
	}{
		{"GET", "/v1/workers?limit=0", "", 422, "invalid", "query.limit"},
		{"GET", "/v1/workers?limit=x", "", 422, "invalid", "query.limit"},
		{"GET", "/v1/workers?state=sleepy", "", 422, "invalid", "query.state"},
		{"GET", "/v1/workers?lable=a", "", 422, "invalid", "query.lable"},
		{"GET", "/v1/workers?label=gpu", "", 422, "invalid", "query.label"},
		{"GET", "/v1/workers?after=x", "", 422, "invalid", "query.after"},
		{"GET", "/v1/tasks?after=x", "", 422, "invalid", "query.after"},
		{"GET", "/v1/workers?purpose=a%07", "", 422, "invalid", "purpose"},
		{"GET", "/v1/tasks/video/a%07/why", "", 422, "invalid", "task"},
		{"POST", "/v1/placements", `{"purpose":"video","task":"a\u0007"}`, 422, "invalid", "body.task"},
		{"POST", "/v1/placements", `{"purpose":"video","task":"a","preference":{"labels":5}}`, 422, "invalid", "body.preference.labels"},
		{"POST", "/v1/drains", `{"selector":{}}`, 422, "invalid", "body.selector"},
		{"POST", "/v1/drains", `{"selector":{"worker":"a\u0007"}}`, 422, "invalid", "body.selector.worker"},
		{"POST", "/v1/drains", `{"selector":{"worker":"a"},"deadline_ms":9999999999999}`, 422, "invalid", "body.deadline_ms"},
		{"PUT", "/v1/workers/a%07/cordon", "", 422, "invalid", "selector.worker"},
		{"POST", "/v1/placements", `{"purpose":"","task":"a"}`, 422, "invalid", "body.purpose"},
		{"POST", "/v1/placements", `{"purpose":"video"}`, 422, "invalid", "body"},
		{"POST", "/v1/placements", `{"purpose":"video","task":"a","tsak":"b"}`, 422, "invalid", "body.tsak"},
		{"POST", "/v1/placements", `{"purpose":"video","task":"a","reserve_ms":-1}`, 422, "invalid", "body.reserve_ms"},
		{"POST", "/v1/rooms/r/tokens", `{"user":"a","role":"guest"}`, 422, "invalid", "body.role"},
		{"POST", "/v1/rooms/r/tokens", `{"user":"a","life_ms":5}`, 422, "invalid", "body.life_ms"},
		{"POST", "/v1/rooms/r/tokens", `{"user":"a\u0007"}`, 422, "invalid", "body.user"},
		{"POST", "/v1/rooms/r%07/tokens", `{"user":"a"}`, 422, "invalid", "path.room"},
		{"POST", "/v1/rooms/r/tokens", `{"user":"a","owt":"ftp://x"}`, 422, "invalid", "body.owt"},
		{"POST", "/v1/placements", `{"purpose"`, 400, "invalid", "body"},
		{"POST", "/v1/placements", `{"purpose":"` + strings.Repeat("x", 70_000) + `"}`, 413, "http", ""},
		{"GET", "/v1/nosuch", "", 404, "http", ""},
		{"PUT", "/v1/workers", "", 404, "http", ""},
	} {
		req, err := http.NewRequestWithContext(c.ctx, it.method, c.server.URL()+it.path, strings.NewReader(it.body))
		must(t, err)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		raw, err := io.ReadAll(res.Body)
		must(t, err)
		_ = res.Body.Close()
		var p httpapi.Problem
		must(t, json.Unmarshal(raw, &p))
		location := ""
		if len(p.Errors) > 0 {
			location = p.Errors[0].Location
		}
		if res.StatusCode != it.status || p.Status != it.status || p.Code != it.code || location != it.location || p.Detail == "" ||
			res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %.40s %.40s: %d %s %s", it.method, it.path, it.body, res.StatusCode, res.Header.Get("Content-Type"), raw)
		}
	}
}

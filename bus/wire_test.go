package bus_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// empty treats nil and empty as equal.
var empty = cmpopts.EquateEmpty()

func raws(texts ...string) bus.Args {
	var a bus.Args
	for _, text := range texts {
		a = append(a, json.RawMessage(text))
	}
	return a
}

func TestParseCall(t *testing.T) {
	for body, want := range map[string]bus.Call{
		`{"method":"join","args":["webrtc","w",{"a":1}],"corrID":0,"replyTo":"amq.gen-1"}`: {
			Method: "join", Args: raws(`"webrtc"`, `"w"`, `{"a":1}`), CorrID: json.RawMessage("0"), ReplyTo: "amq.gen-1"},
		`{"method":"quit","args":[]}`:                    {Method: "quit"},
		`{"method":"quit"}`:                              {Method: "quit"},
		`{"method":"quit","args":null}`:                  {Method: "quit"},
		`{"method":""}`:                                  {Method: ""},
		` {"x":{"method":7},"method":"a\u0062"} `:        {Method: "ab"},
		`{"method":"m","args":[ 1.50 , null ]}`:          {Method: "m", Args: raws("1.50", "null")},
		`{"meth\u006fd":"m","corrID":"text"}`:            {Method: "m", CorrID: json.RawMessage(`"text"`)},
		`{"method":"m","method":"n","args":[1],"z":[2]}`: {Method: "n", Args: raws("1")},
	} {
		got, err := bus.ParseCall([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if diff := cmp.Diff(want, got, empty); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

func TestParseCallRefuses(t *testing.T) {
	const where = `"corrID":5,"replyTo":"q"`
	for body, reason := range map[string]string{
		``:                                       "well-formed",
		`{`:                                      "well-formed",
		`{"method":"m"} x`:                       "well-formed",
		`null`:                                   "object",
		`[]`:                                     "object",
		`"method"`:                               "object",
		`{` + where + `}`:                        "method must be a string",
		`{"method":1,` + where + `}`:             "method must be a string",
		`{"method":"m","args":{},` + where + `}`: "args must be an array",
		`{"method":"m","args":"x",` + where + `}`: "args must be an array",
	} {
		c, err := bus.ParseCall([]byte(body))
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: error %v, want one with %q", body, err, reason)
		}
		if strings.Contains(body, where) && (c.ReplyTo != "q" || string(c.CorrID) != "5") {
			t.Errorf("%s: the return address is lost: %+v", body, c)
		}
	}
}

// TestDeepNesting: such a body must not exhaust the stack.
func TestDeepNesting(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(`{"method":"m","data":"[[[\"[","args":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	if _, err := bus.ParseCall(nested(9999)); err != nil {
		t.Errorf("10,000 deep: %v", err)
	}
	for _, n := range []int{10000, 8 << 20} {
		if _, err := bus.ParseCall(nested(n)); err == nil || !strings.Contains(err.Error(), "too deep") {
			t.Errorf("a request %d deep: %v", n, err)
		}
		if _, err := bus.ParseReply(nested(n)); err == nil || !strings.Contains(err.Error(), "too deep") {
			t.Errorf("an answer %d deep: %v", n, err)
		}
	}
	text := `{"method":"m","args":["` + strings.Repeat("[{", 1<<20) + `\"[\\"]}`
	if _, err := bus.ParseCall([]byte(text)); err != nil {
		t.Errorf("brackets in a text: %v", err)
	}
	flat := `{"method":"m","args":[` + strings.Repeat("[],", 1<<20) + `1]}`
	if _, err := bus.ParseCall([]byte(flat)); err != nil {
		t.Errorf("many brackets beside each other: %v", err)
	}
}

// TestOWTsWords compares the bytes with those of OWT's programs.
func TestOWTsWords(t *testing.T) {
	call := bus.AppendCall(nil, bus.Call{
		Method: "schedule", Args: raws(`"webrtc"`, `30000`), CorrID: json.RawMessage("0"), ReplyTo: "amq.gen-x",
	})
	for _, c := range []struct{ got, want string }{
		{string(call), `{"method":"schedule","args":["webrtc",30000],"corrID":0,"replyTo":"amq.gen-x"}`},
		{string(bus.AppendCall(nil, bus.Call{Method: "quit"})), `{"method":"quit","args":[]}`},
		{reply(bus.Reply{Data: json.RawMessage(`"ok"`), CorrID: json.RawMessage("0")}), `{"data":"ok","corrID":0,"type":"callback"}`},
		{reply(bus.Reply{}), `{"data":null,"type":"callback"}`},
		{reply(bus.Reply{Data: json.RawMessage("1"), CorrID: json.RawMessage("2"), Status: true}), `{"data":1,"corrID":2,"type":"onStatus"}`},
		{reply(bus.Reply{Failed: true, Err: muster.ReasonUnsupported.Text, CorrID: json.RawMessage("3")}),
			`{"data":"error","corrID":3,"type":"callback","err":"Not support method"}`},
		{reply(bus.Reply{Data: json.RawMessage("1"), Stale: 2500 * time.Millisecond}), `{"data":1,"type":"callback","stale":2500}`},
		{reply(bus.Reply{Failed: true, Err: `a"`, Detail: json.RawMessage("{}")}), `{"data":"error","type":"callback","err":"a\"","detail":{}}`},
	} {
		if c.got != c.want {
			t.Errorf("got  %s\nwant %s", c.got, c.want)
		}
	}
}

func reply(r bus.Reply) string { return string(bus.AppendReply(nil, r)) }

func TestParseReply(t *testing.T) {
	for body, want := range map[string]bus.Reply{
		`{"data":"ok","corrID":0,"type":"callback"}`: {Data: json.RawMessage(`"ok"`), CorrID: json.RawMessage("0")},
		`{"data":1,"corrID":2,"type":"onStatus"}`:    {Data: json.RawMessage("1"), CorrID: json.RawMessage("2"), Status: true},
		`{"data":"error","corrID":3,"err":""}`:       {Data: json.RawMessage(`"error"`), CorrID: json.RawMessage("3"), Failed: true},
		`{"corrID":3,"err":null}`:                    {CorrID: json.RawMessage("3")},
		`{"data":1,"stale":2500}`:                    {Data: json.RawMessage("1"), Stale: 2500 * time.Millisecond},
		`{"data":1,"stale":-1}`:                      {Data: json.RawMessage("1")},
		`{"data":1,"stale":"soon"}`:                  {Data: json.RawMessage("1")},
		`{"data":1,"stale":1e300}`:                   {Data: json.RawMessage("1"), Stale: 87600 * time.Hour},
		`{"err":{"a": 1},"detail":[1]}`:              {Failed: true, Err: `{"a": 1}`, Detail: json.RawMessage("[1]")},
		`{"err":"x\u00e4"}`:                          {Failed: true, Err: "xä"},
	} {
		got, err := bus.ParseReply([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if diff := cmp.Diff(want, got, empty); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	for _, body := range []string{``, `{`, `[]`, `7`, `null`} {
		if _, err := bus.ParseReply([]byte(body)); err == nil {
			t.Errorf("%q was accepted as an answer", body)
		}
	}
}

func TestEncodeArgs(t *testing.T) {
	got, err := bus.EncodeArgs("a\"<ü>\u2028", 7, int64(-8), nil, json.RawMessage(`{ }`), json.RawMessage(nil), []int{1}, 1.5)
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range got {
		if !json.Valid(raw) {
			t.Errorf("argument %d is %s", i, raw)
		}
	}
	var text string
	if err := json.Unmarshal(got[0], &text); err != nil || text != "a\"<ü>\u2028" {
		t.Errorf("text became %q: %v", text, err)
	}
	if diff := cmp.Diff(raws("7", "-8", "null", "{ }", "null", "[1]", "1.5"), got[1:]); diff != "" {
		t.Error(diff)
	}
	if _, err := bus.EncodeArgs(1, func() {}); err == nil || !strings.Contains(err.Error(), "argument 1") {
		t.Errorf("a function was encoded: %v", err)
	}
}

var callSeeds = []string{
	`{"method":"join","args":["webrtc","w@1.2.3.4",{"state":2}],"corrID":0,"replyTo":"amq.gen-1"}`,
	`{"method":"quit","args":["w"]}`, `{"method":7,"args":{},"corrID":1,"replyTo":"q"}`, `[]`, ``, `{"method":"\ud800","args":[[[[]]]]}`,
	"{\"method\":\"\xff\",\"args\":[\"\xff\"]}", `{"method":"a","method":null}`, `{"method":"m","replyTo":5,"corrID":null}`,
}

// FuzzParseCall: an accepted call can be written and parsed again with the same
// meaning; a refused one does no harm.
func FuzzParseCall(f *testing.F) {
	for _, seed := range callSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := bus.ParseCall(bytes.Clone(body))
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q is not JSON, and was accepted", body)
		}
		written := bus.AppendCall(nil, call)
		if !json.Valid(written) {
			t.Fatalf("%q was written as %q", body, written)
		}
		again, err := bus.ParseCall(bytes.Clone(written))
		if err != nil {
			t.Fatalf("%q cannot be read: %v", written, err)
		}
		if rewritten := bus.AppendCall(nil, again); !bytes.Equal(written, rewritten) {
			t.Fatalf("%q became %q", written, rewritten)
		}
		if diff := cmp.Diff(call.Args, again.Args, empty); diff != "" {
			t.Fatalf("%q: %s", body, diff)
		}
		if !bytes.Equal(call.CorrID, again.CorrID) || clean(call.Method) != again.Method || clean(call.ReplyTo) != again.ReplyTo {
			t.Fatalf("%q: %+v became %+v", body, call, again)
		}
	})
}

// clean replaces invalid UTF-8, as writing JSON does.
func clean(s string) string { return string([]rune(s)) }

// FuzzParseReply is like FuzzParseCall, for answers.
func FuzzParseReply(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"id":"w","info":{}},"corrID":0,"type":"callback"}`, `{"data":"error","corrID":1,"type":"callback","err":"No such a task"}`,
		`{"data":1,"type":"onStatus","corrID":2}`, `{"err":null,"detail":1}`, `{"err":false}`, `7`, "{\"err\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := bus.ParseReply(bytes.Clone(body))
		if err != nil {
			return
		}
		written := bus.AppendReply(nil, first)
		if !json.Valid(body) || !json.Valid(written) {
			t.Fatalf("%q was written as %q", body, written)
		}
		again, err := bus.ParseReply(bytes.Clone(written))
		if err != nil {
			t.Fatalf("%q cannot be read: %v", written, err)
		}
		if rewritten := bus.AppendReply(nil, again); !bytes.Equal(written, rewritten) {
			t.Fatalf("%q became %q", written, rewritten)
		}
		if again.Failed != first.Failed || again.Status != first.Status || again.Err != clean(first.Err) || !bytes.Equal(again.CorrID, first.CorrID) {
			t.Fatalf("%q: %+v became %+v", body, first, again)
		}
		if !first.Failed && first.Data != nil && !bytes.Equal(first.Data, again.Data) {
			t.Fatalf("%q: data %q became %q", body, first.Data, again.Data)
		}
	})
}

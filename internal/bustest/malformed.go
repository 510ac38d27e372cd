package bustest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

var malformedCases = []testCase{
	{"MalformedIsCounted", malformedCounted},
	{"MalformedIsAnswered", malformedAnswered},
	{"WellFormedByHand", wellFormed},
}

func malformedCounted(t *testing.T, b Broker) {
	bodies := []string{
		``, ` `, `{`, `{"method":`, `null`, `7`, `"text"`, `[]`, `[{"method":"echo"}]`, `{}`, `{"args":[]}`,
		`{"method":7}`, `{"method":null,"args":[]}`, `{"method":"echo","args":{}}`, `{"method":"echo","args":"x"}`,
		`{"method":"echo","args":[]} trailing`, "\x00\xff\xfe", `{"method":"echo","args":[1],"replyTo":{},"corrID":`,
	}
	server := named(t, "s")
	s := serve(t, dial(t, b), server, echo)
	c := dial(t, b)
	for i, body := range bodies {
		b.Send(t, server, []byte(body))
		wantJSON(t, mustCall(t, c, server, "echo", i), i)
		if got := s.Malformed(); got != uint64(i+1) {
			t.Fatalf("after the body %q Malformed is %d, want %d", body, got, i+1)
		}
	}
}

func malformedAnswered(t *testing.T, b Broker) {
	server := named(t, "s")
	s := serve(t, dial(t, b), server, echo)
	for i, format := range []string{
		`{"method":7,"args":[],"corrID":%d,"replyTo":%s}`,
		`{"method":"echo","args":{},"corrID":%d,"replyTo":%s}`,
		`{"corrID":%d,"replyTo":%s}`,
	} {
		raw := b.Ask(t, server, func(replyTo string) []byte {
			where, _ := json.Marshal(replyTo)
			return fmt.Appendf(nil, format, i, where)
		})
		reply, err := bus.ParseReply(raw)
		if err != nil || !reply.Failed || reply.Err == "" {
			t.Errorf("%s was answered %s", format, raw)
		}
		if string(reply.CorrID) != fmt.Sprint(i) {
			t.Errorf("corrID came back as %s, want %d", reply.CorrID, i)
		}
		if got := s.Malformed(); got != uint64(i+1) {
			t.Errorf("Malformed is %d, want %d", got, i+1)
		}
	}
}

// wellFormed has unknown members, corrID 0 and no arguments.
func wellFormed(t *testing.T, b Broker) {
	server := named(t, "s")
	s := serve(t, dial(t, b), server, echo)
	raw := b.Ask(t, server, func(replyTo string) []byte {
		where, _ := json.Marshal(replyTo)
		return fmt.Appendf(nil, ` {"replyTo":%s, "corrID":0, "unknown":{"a":[1]}, "args":null, "method":"echo"} `, where)
	})
	reply, err := bus.ParseReply(raw)
	if err != nil || reply.Failed || reply.Status || string(reply.Data) != "null" || string(reply.CorrID) != "0" {
		t.Errorf("answer %s: %v", raw, err)
	}
	if n := s.Malformed(); n != 0 {
		t.Errorf("Malformed is %d", n)
	}
}

package owt

import (
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// An update with names that our managers refuse is ignored. It must not make the
// slave request the state again and again.
func TestNamesOutOfBoundsDoNotReachTheState(t *testing.T) {
	long := strings.Repeat("x", muster.MaxTask+1)
	for _, update := range []string{
		`{"type":"worker_join","payload":{"purpose":"p\u0000","worker":"w","info":{}}}`,
		`{"type":"worker_join","payload":{"purpose":"p","worker":"w\n","info":{}}}`,
		`{"type":"worker_join","payload":{"purpose":"p","worker":"w","info":{"labels":{"a\u0007":"b"}}}}`,
		`{"type":"worker_join","payload":{"purpose":"p","worker":"` + long + `","info":{}}}`,
		`{"type":"worker_pickup","payload":{"worker":"good","tasks":["` + long + `"]}}`,
		`{"type":"scheduled","payload":{"purpose":"p","worker":"good","task":"t\u0001","reserve_time":1000}}`,
	} {
		h := &hub{}
		r := slaveIn(t, h)
		h.publish(runtimeKey(mid), `{"type":"runtimeData","data":{"schedulers":{"p":{"workers":{"good":{"load":0.1,"info":{}}},"tasks":{}}},"workers":{"good":{}}}}`)
		r.Apply()
		before, asked := string(r.ledger.runtimeJSON()), r.Stats().Requests
		h.publish(keySlave, `{"type":"updateData","data":`+update+`}`)
		r.Apply()
		if got := string(r.ledger.runtimeJSON()); got != before {
			t.Errorf("%.80s changed the state to\n%.300s\nfrom\n%s", update, got, before)
		}
		if s := r.Stats(); s.Malformed != 1 || s.Requests != asked || s.Gaps != 0 {
			t.Errorf("%.80s: %+v, want 1 malformed, and no request", update, s)
		}
		_ = r.Close()
	}
}

func TestRuntimeDataLeavesOutNamesOutOfBounds(t *testing.T) {
	d, err := parseRuntime([]byte(`{"schedulers":{"p\u0000":{"workers":{"a":{"load":0,"info":{}}},"tasks":{}},` +
		`"p":{"workers":{"b\n":{"load":0,"info":{}},"c":{"load":0,"info":{},"tasks":["t","u\u0000"]}},"tasks":{"v\u0001":{"worker":"c"}}}},` +
		`"workers":{"a":{},"b\n":{},"c":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger(state.DefaultConfig())
	l.adopt(1, d)
	if got := l.state.Workers(state.AllPurposes); len(got) != 1 || got[0] != "c" {
		t.Errorf("workers %q, want c", got)
	}
	if got := l.state.AllTasks(""); len(got) != 1 || got[0].Task != "t" {
		t.Errorf("tasks %v, want t", got)
	}
}

// A panic while a message is processed costs only that message. If it leaves the
// state torn, the state is discarded and requested again.
func TestMessageThatPanics(t *testing.T) {
	h := &hub{}
	r := slaveIn(t, h)
	defer func() { _ = r.Close() }()
	h.publish(runtimeKey(mid), `{"type":"runtimeData","data":{"schedulers":{},"workers":{}}}`)
	r.Apply()
	r.ledger.state = new(state.State) // not made by New: a join panics
	h.publish(keySlave, `{"type":"updateData","data":{"type":"worker_join","payload":{"purpose":"p","worker":"w","info":{}}}}`)
	r.Apply()
	if r.ledger.state.Torn() {
		t.Error("the torn state is still there")
	}
	if s := r.Stats(); s.Malformed != 1 || s.Gaps != 1 {
		t.Errorf("%+v, want 1 malformed message and 1 gap", s)
	}
}

package owt

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/replica/owt/election"
)

// slaveIn returns a manager driven by the test alone, as the slave of a master.
func slaveIn(t testing.TB, h *hub) *Replica {
	r, err := Open(t.Context(), Options{
		Conn: h.dial(), Cluster: "test", ID: mid, Placement: quiet(), Ticks: make(chan time.Time),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.publish(keyCandidate, `{"type":"declareMaster","data":{"id":7,"life_time":3}}`)
	r.Apply()
	return r
}

// Whatever messages came before, a slave keeps running and adopts its master's
// state exactly.
func FuzzMessages(f *testing.F) {
	for _, name := range []string{"election-failover.jsonl", "agent-lifecycle.jsonl", "faults.jsonl"} {
		for _, l := range recording(f, name) {
			if l.Exchange == management {
				f.Add(strings.ReplaceAll(l.Key, "239247530", "1000002"), string(l.Body))
			}
		}
	}
	f.Add(keySlave, `{"type":"updateData","data":{"type":"scheduled","payload":{"purpose":"webrtc","task":"s1","worker":"webrtc-1@10.0.0.1","reserve_time":-1e300}}}`)
	f.Add(runtimeKey(mid), `{"type":"runtimeData","data":{"schedulers":{"p":{"workers":{"w":{"load":9,"info":{},"tasks":["a","a"]},"":{}},"tasks":{"a":{}}}},"workers":{"w":{},"v":1}},"muster":{"seq":3}}`)
	f.Add(runtimeKey(mid), `{"type":"runtimeData","data":{"schedulers":{"a":{"workers":{"w":{"load":1,"info":{}}}},"b":{"workers":{"w":{"load":1,"info":{}}}}},"workers":{"w":{}}}}`)
	handed := bodiesOf(recording(f, "election-failover.jsonl"), typeRuntime)[0]
	want := without(f, recordedState(f), departed)
	f.Fuzz(func(t *testing.T, key, body string) {
		h := &hub{}
		r := slaveIn(t, h)
		h.publish(key, body)
		r.Apply()
		h.publish(runtimeKey(mid), handed)
		for range 2 { // once after the fuzzed message, once on top of the same state
			h.publish(key, body)
			h.publish(runtimeKey(mid), handed)
			r.Apply()
			if got := string(r.ledger.runtimeJSON()); got != want {
				t.Errorf("after %s %s the state is\n%s\nwant\n%s", key, body, got, want)
			}
		}
		if r.election.Role() != election.Slave {
			t.Errorf("after %s %s it is a %v", key, body, r.election.Role())
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A state that can be parsed is written as JSON that parses to the same state.
func FuzzRuntimeData(f *testing.F) {
	f.Add([]byte(recordedState(f)))
	f.Add([]byte(`{"schedulers":{"p":{"workers":{"w":{"load":9,"info":{"maxLoad":1e300},"tasks":["a","b"]}},"tasks":{"b":{"worker":"w"},"a":{"worker":"v"},"c":{"worker":"w","reserve_time":1e9}}}},"workers":{"w":{}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseRuntime(data)
		if err != nil {
			return
		}
		a := newLedger(quiet())
		a.adopt(1, d)
		first := a.runtimeJSON()
		if !json.Valid(first) {
			t.Fatalf("wrote invalid JSON: %s", first)
		}
		again, err := parseRuntime(first)
		if err != nil || len(again.invalid) > 0 {
			t.Fatalf("cannot parse what was written, %s: %v %v", first, err, again)
		}
		b := newLedger(quiet())
		b.adopt(1, again)
		if got := b.runtimeJSON(); string(got) != string(first) {
			t.Errorf("first written as\n%s\nthen as\n%s", first, got)
		}
	})
}

package simtest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
)

const ms = time.Millisecond

// TestAnAnswerMustHaveBeenTrue: of a task that was on a worker from 10 to 20 ms.
func TestAnAnswerMustHaveBeenTrue(t *testing.T) {
	key := taskKey{"webrtc", "t"}
	for _, c := range []struct {
		method, data string
		since, now   time.Duration
		right        bool
	}{
		{"getScheduled", `"webrtc-1.1"`, 12 * ms, 14 * ms, true},
		{"getScheduled", `"webrtc-1.1"`, 19 * ms, 30 * ms, true},
		{"getScheduled", `"webrtc-1.1"`, 21 * ms, 30 * ms, false},
		{"getScheduled", `"webrtc-1.1"`, 1 * ms, 30 * ms, true},
		{"getScheduled", `"webrtc-2.1"`, 1 * ms, 30 * ms, false},
		{"getScheduled", ``, 1 * ms, 14 * ms, true},
		{"getScheduled", ``, 12 * ms, 14 * ms, false},
		{"getScheduled", ``, 21 * ms, 30 * ms, true},
		{"schedule", `{"id":"webrtc-1.1","info":{}}`, 12 * ms, 14 * ms, true},
		{"schedule", `{"id":"webrtc-2.1","info":{}}`, 12 * ms, 14 * ms, false},
	} {
		s := &Sim{loop: newLoop(1)}
		s.truth = newTruth(s)
		s.truth.spans[key] = []span{{10 * ms, "webrtc-1.1"}, {20 * ms, ""}}
		if c.now < 20*ms {
			s.truth.spans[key] = s.truth.spans[key][:1]
		}
		s.now = c.now
		r := bus.Reply{Data: json.RawMessage(c.data)}
		if c.data == "" {
			r = bus.Reply{Failed: true, Err: "No such a task"}
		}
		s.truth.check(&letter{method: c.method, args: encode([]any{"webrtc", "t"}), sent: c.since}, r, "hears")
		if right := s.err == nil; right != c.right {
			t.Errorf("%s %s from %v to %v: right %v, want %v (%v)", c.method, c.data, c.since, c.now, right, c.right, s.err)
		}
	}
}

// TestCallersAloneContradictEachOther: the judgement at the end knows nothing of
// what the managers did.
func TestCallersAloneContradictEachOther(t *testing.T) {
	key := taskKey{"webrtc", "t"}
	at := func(start, end time.Duration, look bool, worker string) *attempt {
		return &attempt{key: key, look: look, start: start, end: end, answered: true, worker: worker}
	}
	lost := &attempt{key: key, start: 0, end: 1}
	for i, c := range []struct {
		right    bool
		attempts []*attempt
	}{
		{true, []*attempt{at(0, 1, false, "a"), at(2, 3, true, "a"), at(4, 5, false, "a")}},
		{false, []*attempt{at(0, 1, false, "a"), at(2, 3, false, "b")}},
		{false, []*attempt{at(0, 1, false, "a"), at(2, 3, true, "")}},
		{true, []*attempt{at(0, 3, false, "a"), at(1, 2, true, "")}},
		{false, []*attempt{at(0, 1, true, "a"), at(2, 3, false, "a")}},
		{true, []*attempt{lost, at(2, 3, true, ""), at(4, 5, true, "a")}},
		{false, []*attempt{lost, at(2, 3, true, "a"), at(4, 5, true, "b")}},
	} {
		s := &Sim{loop: newLoop(1)}
		s.truth = newTruth(s)
		s.callers = []*simCaller{{attempts: c.attempts}}
		if s.judge(); (s.err == nil) != c.right {
			t.Errorf("history %d: %v, want right %v", i, s.err, c.right)
		}
	}
}

// TestTheQueueHandsOnWhatWasNotDealtWith, in its order, to the highest rank.
func TestTheQueueHandsOnWhatWasNotDealtWith(t *testing.T) {
	s := newSim(options{Seed: 1, Record: true})
	got := map[string]string{}
	var first *conn
	for i, name := range []string{"a", "b"} {
		c := &client{connected: func() {}}
		c.sim, c.name = s, name
		c.boot()
		s.until(time.Second, func() bool { return c.conn != nil })
		if first == nil {
			first = c.conn
		}
		s.broker.stand(c.conn, int64(2-i), func(at *stand, l *letter) {
			got[name] += l.method
			if l.method == "1" {
				s.broker.settle(at, l, true)
			}
		}, nil)
	}
	for i := range 4 {
		s.broker.publish(&letter{method: fmt.Sprint(i)})
	}
	s.run(10 * ms)
	if got["a"] != "0123" || got["b"] != "" {
		t.Errorf("delivered: %v, want all to the higher rank", got)
	}
	first.closeQueue()
	s.run(10 * ms)
	if got["b"] != "023" {
		t.Errorf("delivered: %v, want what was not dealt with", got)
	}
}

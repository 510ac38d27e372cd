package history

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster/bus"
)

const ms = time.Millisecond

func TestJudge(t *testing.T) {
	calls := []Call{
		{Task: "a", Worker: "w1"},
		{Task: "a", Worker: "w1"},
		{Task: "b", Worker: "w1"},
		{Task: "b", Worker: "w2"},
		{Task: "b", Look: true, Worker: "w2"},
		{Task: "c", Worker: "w1"},
		{Task: "d", Worker: "w1"},
		{Task: "e", Err: errors.New("late")},
		{Task: "f", Err: &bus.RemoteError{Reason: "no"}},
		{Task: "e", Look: true},
	}
	got := Judge(calls, map[string]string{"a": "w1", "b": "w1", "c": "w2"})
	got.Problems = nil
	want := Verdict{Calls: 10, Unanswered: 1, Refused: 1, Forgotten: 1, Doubled: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Lost() != 2 {
		t.Errorf("lost %d, want the one without an answer and the forgotten one", got.Lost())
	}
	if got := Judge(calls[:2], map[string]string{"a": "w1"}); got.Lost() != 0 || got.Doubled != 0 || got.Problems != nil {
		t.Errorf("a good history: %+v", got)
	}
}

func TestGapIsAroundTheFault(t *testing.T) {
	var calls []Call
	for _, end := range []time.Duration{100, 70, 10, 20, 30, 90, 300, 310} {
		calls = append(calls, Call{End: end * ms, Worker: "w"})
	}
	calls = append(calls, Call{End: 50 * ms, Err: errors.New("late")})
	for _, c := range []struct{ from, to, want time.Duration }{
		{35, 80, 40},
		{35, 35, 40},
		{0, 25, 10},
		{0, 400, 200},
		{305, 305, 10},
		{400, 500, 0},
	} {
		if got := Gap(calls, c.from*ms, c.to*ms); got != c.want*ms {
			t.Errorf("gap from %d to %d: %v, want %dms", c.from, c.to, got, c.want)
		}
	}
}

package member

import (
	"slices"
	"testing"
)

func TestWorkerIsLostPastTheLimit(t *testing.T) {
	l := NewLiveness(3)
	l.Heard("a")
	l.Heard("b")
	for tick := 1; tick <= 3; tick++ {
		if lost := l.Tick(); lost != nil {
			t.Fatalf("tick %d: lost %v, want none up to the limit", tick, lost)
		}
		l.Heard("b")
	}
	if got := l.Absent("a"); got != 3 {
		t.Errorf("a was absent for %d ticks, want 3", got)
	}
	if lost := l.Tick(); !slices.Equal(lost, []string{"a"}) {
		t.Errorf("lost %v, want [a]", lost)
	}
	if lost := l.Tick(); lost != nil {
		t.Errorf("lost %v a second time", lost)
	}
}

func TestLostWorkersComeInOrder(t *testing.T) {
	l := NewLiveness(0)
	for _, w := range []string{"c", "a", "b"} {
		l.Heard(w)
	}
	if lost := l.Tick(); !slices.Equal(lost, []string{"a", "b", "c"}) {
		t.Errorf("lost %v, want [a b c]", lost)
	}
}

func TestResetGivesAFreshAllowance(t *testing.T) {
	l := NewLiveness(1)
	l.Heard("a")
	l.Tick()
	l.Reset()
	if lost := l.Tick(); lost != nil {
		t.Errorf("lost %v in the first tick of a fresh allowance", lost)
	}
}

func TestForgottenWorkerIsNotLost(t *testing.T) {
	l := NewLiveness(0)
	l.Heard("a")
	l.Forget("a")
	if lost := l.Tick(); lost != nil {
		t.Errorf("lost %v, which was forgotten", lost)
	}
}

func TestLowerLimitCountsAtTheNextTick(t *testing.T) {
	l := NewLiveness(10)
	l.Heard("a")
	l.Tick()
	l.Tick()
	l.SetLimit(2)
	if lost := l.Tick(); !slices.Equal(lost, []string{"a"}) {
		t.Errorf("lost %v, want [a]", lost)
	}
}

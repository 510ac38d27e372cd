package member

import (
	"slices"
	"testing"
)

func TestWorkerIsLostPastTheLimit(t *testing.T) {
	l := NewLiveness(3, 1)
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
	l := NewLiveness(0, 1)
	for _, w := range []string{"c", "a", "b"} {
		l.Heard(w)
	}
	if lost := l.Tick(); !slices.Equal(lost, []string{"a", "b", "c"}) {
		t.Errorf("lost %v, want [a b c]", lost)
	}
}

func TestResetGivesAFreshAllowance(t *testing.T) {
	l := NewLiveness(1, 1)
	l.Heard("a")
	l.Tick()
	l.Reset()
	if lost := l.Tick(); lost != nil {
		t.Errorf("lost %v in the first tick of a fresh allowance", lost)
	}
}

func TestForgottenWorkerIsNotLost(t *testing.T) {
	l := NewLiveness(0, 1)
	l.Heard("a")
	l.Forget("a")
	if lost := l.Tick(); lost != nil {
		t.Errorf("lost %v, which was forgotten", lost)
	}
}

func TestLowerLimitCountsAtTheNextTick(t *testing.T) {
	l := NewLiveness(10, 1)
	l.Heard("a")
	l.Tick()
	l.Tick()
	l.SetLimit(2, 1)
	if lost := l.Tick(); !slices.Equal(lost, []string{"a"}) {
		t.Errorf("lost %v, want [a]", lost)
	}
}

// When most of a fleet falls silent in one moment, it is not the fleet that is
// gone.
func TestManySilentAtOnceAreHeld(t *testing.T) {
	l := NewLiveness(2, 0.5)
	name := func(i int) string { return string(rune('a' + i)) }
	for i := range 20 {
		l.Heard(name(i))
	}
	for range 10 {
		if lost := l.Tick(); lost != nil {
			t.Fatalf("lost %v", lost)
		}
	}
	if l.Held() != 20 {
		t.Errorf("%d are held, want 20", l.Held())
	}
	for i := range 12 {
		l.Heard(name(i))
	}
	if lost := l.Tick(); len(lost) != 8 || l.Held() != 0 {
		t.Errorf("lost %v and held %d, want the 8 that stayed silent", lost, l.Held())
	}
}

func TestFewSilentAreLostWhateverTheirShare(t *testing.T) {
	l := NewLiveness(0, 0.5)
	l.Heard("a")
	if lost := l.Tick(); len(lost) != 1 {
		t.Errorf("the only worker fell silent, and lost are %v", lost)
	}
}

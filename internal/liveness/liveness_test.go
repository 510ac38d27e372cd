package liveness

import (
	"fmt"
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

// If most of a fleet falls silent at the same moment, the workers are kept.
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
	heard := func() {
		for i := range 12 {
			l.Heard(name(i))
		}
	}
	for tick := range 3 {
		heard()
		if lost := l.Tick(); lost != nil || l.Held() != 0 {
			t.Fatalf("tick %d after the silence: lost %v and held %d, want a fresh allowance", tick, lost, l.Held())
		}
	}
	var lost []string
	for range 8 {
		heard()
		now := l.Tick()
		if len(now) != 1 {
			t.Fatalf("lost %v at one tick, want one of the 8 that stayed silent", now)
		}
		lost = append(lost, now...)
	}
	if !slices.IsSorted(lost) || lost[0] != name(12) {
		t.Errorf("lost %v", lost)
	}
	heard()
	if l.Tick(); l.Rechecking() {
		t.Error("the re-check does not end")
	}
}

// At each tick of a re-check at most a share of the workers is lost, at least one,
// and none before the limit.
func TestRecheckIsPaced(t *testing.T) {
	l := NewLiveness(1, 1)
	l.SetPace(0.1)
	for i := range 40 {
		l.Heard(fmt.Sprintf("%02d", i))
	}
	l.Reset()
	var counts []int
	for l.Rechecking() {
		counts = append(counts, len(l.Tick()))
	}
	// A tenth of those that are left, at least one.
	want := append([]int{0, 4, 3, 3, 3, 2, 2, 2, 2}, slices.Repeat([]int{1}, 19)...)
	if !slices.Equal(counts, want) {
		t.Errorf("lost at each tick %v, want %v", counts, want)
	}
	for range 20 {
		l.Heard(fmt.Sprint("new", len(l.absent)))
	}
	l.Tick()
	if lost := l.Tick(); len(lost) != 20 {
		t.Errorf("lost %v after the re-check, want all 20 at once", lost)
	}
}

// A worker that falls silent during a re-check is not lost earlier than others, and
// workers that are heard in the meantime stay.
func TestRecheckSparesWhoIsHeardMeanwhile(t *testing.T) {
	l := NewLiveness(0, 1)
	l.SetPace(0)
	for _, w := range []string{"a", "b", "c"} {
		l.Heard(w)
	}
	l.Reset()
	if lost := l.Tick(); !slices.Equal(lost, []string{"a"}) {
		t.Errorf("lost %v, want [a]", lost)
	}
	l.Heard("b")
	l.SetLimit(5, 1)
	if lost := l.Tick(); lost != nil {
		t.Errorf("lost %v, which were heard or have not been silent for 5 ticks", lost)
	}
}

func TestFewSilentAreLostWhateverTheirShare(t *testing.T) {
	l := NewLiveness(0, 0.5)
	l.Heard("a")
	if lost := l.Tick(); len(lost) != 1 {
		t.Errorf("the only worker fell silent, and lost are %v", lost)
	}
}

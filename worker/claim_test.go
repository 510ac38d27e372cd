package worker

import (
	"errors"
	"testing"

	"github.com/muster-fleet/muster"
)

// granted is a try that the manager answered with a placement number.
func granted(number uint64) claimOutcome { return claimOutcome{number: number} }

// The answer to a claim may be older than the end of the task, which gave its
// slot away: a program that begins by it would be one too many.
func TestAClaimOfATaskThatEndsMeanwhileIsTriedAgain(t *testing.T) {
	s := started(t)
	_, _ = s.m.tried("a", s.m.beginClaim("a"), granted(7))
	ends := s.m.beginClaim("a")
	s.m.remove("a")
	s.wants("layDownTask[a 7]")
	o, ends := s.m.tried("a", ends, granted(7))
	if !o.retry || len(s.m.tasks) > 0 {
		t.Fatalf("the claim came to %+v, and the worker has %v", o, s.m.tasks)
	}
	if o, _ = s.m.tried("a", ends, claimOutcome{refused: true, err: muster.ReasonPlacementOver}); o.retry {
		t.Errorf("the second try came to %+v", o)
	}
	if len(s.m.claims)+len(s.m.ends) > 0 {
		t.Errorf("claims are kept that are over: %v, %v", s.m.claims, s.m.ends)
	}
}

// A task that is dropped has a program until OnTasksDropped returns, although
// the manager does not count it any more.
func TestADroppedTaskKeepsItsSlotUntilItHasEnded(t *testing.T) {
	s := started(t)
	s.m.maxTasks = 1
	_, _ = s.m.tried("a", s.m.beginClaim("a"), granted(7))
	s.m.elsewhereAnswered(s.m.changes, []string{"a"}, `{"elsewhere":["a"]}`, nil)
	s.wants("DROPPED[a]")
	o, ends := s.m.tried("b", s.m.beginClaim("b"), granted(8))
	if !o.retry {
		t.Fatalf("b may begin beside a: %+v", o)
	}
	s.m.dropping--
	if o, _ = s.m.tried("b", ends, granted(8)); o.err != nil {
		t.Fatalf("b may not begin when a has ended: %v", o.err)
	}
	o, _ = s.m.tried("c", s.m.beginClaim("c"), granted(9))
	if !errors.Is(o.err, muster.ReasonNoSlot) {
		t.Errorf("c may begin beside b: %+v", o)
	}
	s.wants("layDownTask[c 9]", "unschedule[c 9]")
}

// What the comparison lays down is reported with its number: a queue may hand the
// word on late, when the task is placed again.
func TestTheComparisonLaysDownByNumber(t *testing.T) {
	s := started(t)
	s.m.tasksAnswered(s.m.changes, `{"tasks":["b","c"],"placements":[8,9]}`, nil)
	s.wants("layDownTask[b 8]", "layDownTask[c 9]")
}

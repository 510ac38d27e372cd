package worker

import (
	"testing"

	"github.com/muster-fleet/muster"
)

// joinedIn is a worker that runs a task for long, and whose manager answers in
// a term.
func joinedIn(t *testing.T, term uint64) *script {
	t.Helper()
	s := newScript(t)
	s.m.tick()
	s.m.joinAnswered("in-service", nil)
	s.m.add([]string{"old"})
	s.m.take()
	s.m.ledIn(term)
	s.wants("pickUpTasks[[old]]") // it joined before it knew who leads
	for range certain + 1 {
		s.alive("ok", nil)
	}
	s.wants()
	return s
}

func TestAnotherLeaderIsToldWhatWasToldLately(t *testing.T) {
	s := joinedIn(t, 3)
	s.m.add([]string{"a", "b", "c"})
	s.m.remove("b")
	s.m.reject("x")
	s.m.setState(muster.StateNotReady)
	s.m.take()
	s.m.ledIn(3)
	s.m.ledIn(0) // an answer that does not say it
	s.wants()
	s.m.ledIn(4)
	s.wants("layDownTask[b]", "unschedule[x]", "reportState[1]", "pickUpTasks[[a c]]")
	s.m.ledIn(4)
	s.wants()
}

func TestWhatTwoAnswersProveIsNotToldAgain(t *testing.T) {
	s := joinedIn(t, 3)
	s.m.add([]string{"a"})
	s.m.setState(muster.StateReady)
	s.m.take()
	s.alive("ok", nil)
	s.m.ledIn(4)
	s.wants("reportState[2]", "pickUpTasks[[a]]") // one answer proves little
	s.alive("ok", nil)
	s.m.ledIn(5)
	s.wants("reportState[2]", "pickUpTasks[[a]]") // nor do answers of two leaders
	s.alive("ok", nil)
	s.alive("ok", nil)
	s.m.ledIn(6)
	s.wants()
}

func TestALeaderThatIsSoonToldAllIsNotToldTwice(t *testing.T) {
	s := joinedIn(t, 3)
	s.m.add([]string{"a"})
	s.m.take()
	s.alive("", errSilent)
	s.m.ledIn(4)
	s.wants()
	s.alive("ok", nil)
	s.wants("pickUpTasks[[old a]]")
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// script drives a machine, and shows what it wants done as words.
type script struct {
	t *testing.T
	m machine
}

func newScript(t *testing.T) *script {
	return &script{t: t, m: machine{
		id: "w", retries: 2, misses: 4, now: time.Unix(1000, 0),
		report: report{every: time.Second, repeat: 5 * time.Second},
	}}
}

// started is a script whose machine is a member, with nothing left to do.
func started(t *testing.T) *script {
	s := newScript(t)
	s.m.tick()
	s.m.joinAnswered("in-service", nil)
	s.m.take()
	return s
}

func words(a action) string {
	switch a := a.(type) {
	case callJoin:
		return "join"
	case callKeepAlive:
		if a.load != nil {
			return fmt.Sprintf("alive%d[%v]", a.beat, *a.load)
		}
		return fmt.Sprintf("alive%d", a.beat)
	case callTasks:
		return "tasks?"
	case cast:
		return strings.Trim(fmt.Sprint(a.method, a.args[1:]), " ")
	case rest:
		return "rest"
	case happenedJoined:
		return "JOINED"
	case happenedLost:
		return "LOST"
	case happenedRecovered:
		return "RECOVERED"
	case happenedDropped:
		return fmt.Sprint("DROPPED", a.tasks)
	case happenedOverloaded:
		return fmt.Sprint("OVERLOADED:", a.overloaded)
	case giveUp:
		return fmt.Sprintf("END(quit=%v)", a.quit)
	}
	return fmt.Sprintf("%T?", a)
}

// wants holds the actions since the last look against those wanted.
func (s *script) wants(want ...string) {
	s.t.Helper()
	var got []string
	for _, a := range s.m.take() {
		got = append(got, words(a))
	}
	if !reflect.DeepEqual(got, want) {
		s.t.Fatalf("got  %q\nwant %q", got, want)
	}
}

// alive is a keep-alive, and what comes of it.
func (s *script) alive(answer string, err error) {
	s.t.Helper()
	s.m.tick()
	beat := s.m.beat
	want := []string{fmt.Sprintf("alive%d", beat)}
	if beat%compareBeats == 0 {
		want = append(want, "tasks?")
	}
	s.wants(want...)
	s.m.keepAliveAnswered(beat, answer, err)
}

var (
	errSilent    = context.DeadlineExceeded
	errAway      = fmt.Errorf("call: %w", bus.ErrDisconnected)
	errNoManager = fmt.Errorf("call: %w", bus.ErrNoServer)
)

func TestFirstJoin(t *testing.T) {
	s := newScript(t)
	s.m.measured(0.1234)
	s.m.setState(muster.StateNotReady)
	s.wants()
	s.m.tick()
	s.m.tick()
	s.wants("join")
	s.m.joinAnswered("", errNoManager)
	s.wants("rest")
	s.m.tick()
	s.m.joinAnswered("in-service", nil)
	s.wants("join", "reportState[1]", "reportLoad[0.123]", "JOINED", "rest")
	s.alive("ok", nil)
	s.wants()
}

func TestTasksAddedBeforeTheFirstJoinAreKept(t *testing.T) {
	s := newScript(t)
	s.m.add([]string{"a", "b"})
	s.m.tick()
	s.m.joinAnswered("in-service", nil)
	s.wants("join", "pickUpTasks[[a b]]", "JOINED", "rest")
}

func TestJoinGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no manager there": {errNoManager, "END(quit=false)"},
		"refused":          {&bus.RemoteError{Reason: "info.port must be a number"}, "END(quit=false)"},
		"outcome unknown":  {errSilent, "END(quit=true)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			for range 2 {
				s.m.tick()
				s.m.joinAnswered("", c.err)
				s.wants("join", "rest")
			}
			s.m.tick()
			s.m.joinAnswered("", c.err)
			s.wants("join", c.want)
			s.m.tick()
			s.wants()
			if err := s.m.lastFailure; !errors.Is(err, c.err) {
				t.Errorf("got %v; want %v", err, c.err)
			}
		})
	}
}

func TestFourSilencesLeadToRejoining(t *testing.T) {
	for name, failure := range map[string]struct {
		answer string
		err    error
	}{
		"no answer":    {err: errSilent},
		"refused":      {err: &bus.RemoteError{Reason: "no"}},
		"other answer": {answer: "what?"},
	} {
		t.Run(name, func(t *testing.T) {
			s := started(t)
			for range 3 {
				s.alive(failure.answer, failure.err)
				s.wants()
			}
			s.alive("ok", nil) // in a row, that is
			s.wants()
			for range 3 {
				s.alive(failure.answer, failure.err)
				s.wants()
			}
			s.alive(failure.answer, failure.err)
			s.wants("LOST", "join")
		})
	}
}

func TestWhoAreYouLeadsToRejoining(t *testing.T) {
	s := started(t)
	s.m.add([]string{"a"})
	s.wants("pickUpTasks[[a]]")
	s.alive("whoareyou", nil)
	s.wants("LOST", "join")
	for range 5 { // more than a first join may fail
		s.m.joinAnswered("", errSilent)
		s.m.tick()
		s.wants("rest", "join")
	}
	s.m.joinAnswered("initializing", nil)
	s.wants("pickUpTasks[[a]]", "RECOVERED", "rest")
}

func TestRejoinedElsewhereDropsTheTasks(t *testing.T) {
	s := started(t)
	s.m.measured(0.5)
	s.m.add([]string{"a", "b"})
	s.m.take()
	s.alive("whoareyou", nil)
	s.m.add([]string{"c"})
	s.wants("LOST", "join")
	s.m.joinAnswered("in-service", nil)
	s.wants("DROPPED[a b c]", "reportLoad[0.5]", "RECOVERED", "rest")
	if len(s.m.tasks) != 0 {
		t.Errorf("tasks left: %v", s.m.tasks)
	}
}

func TestLateAnswersOfBeforeRejoiningCountNoMore(t *testing.T) {
	s := started(t)
	s.m.tick()
	s.m.tick()
	s.m.keepAliveAnswered(2, "whoareyou", nil)
	s.m.joinAnswered("initializing", nil)
	s.m.keepAliveAnswered(1, "whoareyou", nil)
	s.wants("alive1", "alive2", "LOST", "join", "RECOVERED", "rest")
	for range 3 {
		s.alive("", errSilent)
	}
	s.m.keepAliveAnswered(2, "", errSilent)
	s.wants()
}

// While no manager can be asked the worker is not forgotten: it must not rejoin,
// which would cost its tasks.
func TestNobodyToAsk(t *testing.T) {
	overloaded := &bus.RemoteError{Code: muster.CodeOverloaded}
	for name, err := range map[string]error{"queue away": errAway, "no manager": errNoManager, "overloaded": overloaded} {
		t.Run(name, func(t *testing.T) {
			s := started(t)
			s.m.add([]string{"a"})
			s.m.take()
			for range 3 {
				s.alive("", err)
				s.wants()
			}
			s.alive("", err)
			s.wants("LOST")
			for range 9 {
				s.alive("", err)
				s.wants()
			}
			s.m.add([]string{"b"})
			s.wants("pickUpTasks[[b]]")
			s.alive("ok", nil)
			s.wants("pickUpTasks[[a b]]", "RECOVERED")
		})
	}
}

func TestSilenceBeforeAReconnectionDoesNotCount(t *testing.T) {
	s := started(t)
	for range 3 {
		s.alive("", errSilent)
	}
	s.m.reconnected()
	s.wants("alive4", "rest")
	s.m.keepAliveAnswered(4, "", errSilent)
	s.wants("LOST")
	s.alive("ok", nil)
	s.wants("RECOVERED")
}

// Reports made while a connection breaks are repeated, with the same result.
func TestNothingIsLostWithTheConnection(t *testing.T) {
	s := started(t)
	s.m.add([]string{"a", "b", "c"})
	s.m.remove("a")
	s.m.reject("x")
	s.m.reject("x")
	s.m.remove("b")
	s.m.add([]string{"b"})
	s.m.setState(muster.StateReady)
	s.m.take()
	s.m.castFailed(errAway)
	s.m.reconnected()
	s.m.keepAliveAnswered(1, "", errAway)
	s.wants("alive1", "rest")
	s.alive("ok", nil)
	s.wants("layDownTask[a]", "unschedule[x]", "reportState[2]", "pickUpTasks[[c b]]")
	s.alive("ok", nil)
	s.alive("ok", nil)
	s.m.reconnected()
	s.wants("alive5", "rest")
	s.m.keepAliveAnswered(5, "ok", nil)
	s.wants("reportState[2]", "pickUpTasks[[c b]]")
}

// An answer to what was asked before the loss proves nothing.
func TestOnlyALaterAnswerEndsTheDoubt(t *testing.T) {
	s := started(t)
	s.m.add([]string{"a"})
	s.m.tick()
	s.m.castFailed(errAway)
	s.m.take()
	s.m.keepAliveAnswered(1, "ok", nil)
	s.wants()
	s.alive("ok", nil)
	s.wants("pickUpTasks[[a]]")
}

func TestFarewellsOutliveARejoin(t *testing.T) {
	s := started(t)
	s.m.add([]string{"a", "b"})
	s.m.take()
	s.alive("whoareyou", nil)
	s.m.remove("a")
	s.m.reject("x")
	s.wants("LOST", "join")
	s.m.joinAnswered("initializing", nil)
	s.wants("layDownTask[a]", "unschedule[x]", "pickUpTasks[[b]]", "RECOVERED", "rest")
}

func TestTasks(t *testing.T) {
	s := started(t)
	s.m.add([]string{"a", "b", "a"})
	s.m.add([]string{"a"})
	s.m.add(nil)
	s.m.add([]string{"b", "c"})
	s.wants("pickUpTasks[[a b]]", "pickUpTasks[[c]]")
	s.m.remove("nosuch")
	s.m.remove("a")
	s.m.remove("a")
	s.wants("layDownTask[a]")
	if want := []string{"b", "c"}; !reflect.DeepEqual(s.m.tasks, want) {
		t.Errorf("got %v; want %v", s.m.tasks, want)
	}
}

func TestLoadReports(t *testing.T) {
	s := started(t)
	at := func(seconds float64, load float64, want ...string) {
		t.Helper()
		s.m.now = time.Unix(2000, 0).Add(time.Duration(seconds * float64(time.Second)))
		s.m.measured(load)
		s.wants(want...)
	}
	at(0, 0.5, "reportLoad[0.5]")
	at(0.2, 0.9) // too soon
	at(1, 0.50049)
	at(2, 0.5006, "reportLoad[0.501]")
	at(3, 0.501)
	at(6, 0.501)
	at(7, 0.501, "reportLoad[0.501]")
	s.m.add([]string{"a"})
	s.m.remove("a")
	s.wants("pickUpTasks[[a]]", "layDownTask[a]")
	at(8, 0.501, "reportLoad[0.501]")
	at(9, 0.501)
}

func TestOverload(t *testing.T) {
	s := started(t)
	second := 0
	for _, c := range []struct {
		load float64
		want []string
	}{
		{0.98, []string{"reportLoad[0.98]"}},
		{0.9801, []string{"OVERLOADED:true"}},
		{1, []string{"reportLoad[1]"}},
		{0.98, []string{"reportLoad[0.98]", "OVERLOADED:false"}},
	} {
		second++
		s.m.now = s.m.now.Add(time.Second)
		s.m.measured(c.load)
		s.wants(c.want...)
	}
}

func TestClosedConnectionEnds(t *testing.T) {
	closed := fmt.Errorf("call: %w", bus.ErrClosed)
	for name, input := range map[string]func(*machine){
		"keep-alive": func(m *machine) { m.keepAliveAnswered(1, "", closed) },
		"cast":       func(m *machine) { m.castFailed(closed) },
		"join": func(m *machine) {
			m.rejoin(errForgotten)
			m.take()
			m.joinAnswered("", closed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := started(t)
			s.m.tick()
			s.m.take()
			input(&s.m)
			s.wants("END(quit=true)")
			s.m.tick()
			s.m.add([]string{"a"})
			s.m.castFailed(errAway)
			s.m.keepAliveAnswered(1, "whoareyou", nil)
			s.m.end(ErrQuit)
			s.wants()
		})
	}
}

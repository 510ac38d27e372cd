package manager

import (
	"slices"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// waiter is a caller of a test, and what became of its request.
type waiter struct {
	req     *bus.Request
	answers []bus.Reply
}

func call(method string) *waiter {
	w := &waiter{}
	w.req = bus.NewRequest(bus.Call{Method: method}, func(r bus.Reply) { w.answers = append(w.answers, r) })
	return w
}

func cast(method string) *waiter {
	return &waiter{req: bus.NewRequest(bus.Call{Method: method}, nil)}
}

func doNothing(*core, *bus.Request) {}

func parkAll(t *testing.T, l *parkedCalls, now time.Duration, waiters ...*waiter) {
	t.Helper()
	for _, w := range waiters {
		if !l.park(item{act: doNothing, req: w.req}, now) {
			t.Fatal("there is no room")
		}
	}
}

func methodsOf(items []item) (methods []string) {
	for _, it := range items {
		methods = append(methods, it.req.Method)
	}
	return methods
}

func TestRequestsLeaveInTheirOrder(t *testing.T) {
	var l parkedCalls
	parkAll(t, &l, 0, call("join"), call("getTasks"), cast("pickUpTasks"), call("status"))
	if got := methodsOf(l.take(isLookUp)); !slices.Equal(got, []string{"getTasks", "status"}) {
		t.Errorf("of the look-ups left %v", got)
	}
	parkAll(t, &l, 0, call("schedule"))
	if got := methodsOf(l.take(nil)); !slices.Equal(got, []string{"join", "pickUpTasks", "schedule"}) {
		t.Errorf("then left %v", got)
	}
	if got := l.take(nil); got != nil {
		t.Errorf("left a second time: %v", got)
	}
}

// A call that has waited for as long as OWT's programs do is not carried out
// any more. A cast is: nobody would send it again.
func TestCallsThatWaitedTooLongAreTurnedAway(t *testing.T) {
	var l parkedCalls
	const start = time.Hour
	old, told, young := call("schedule"), cast("layDownTask"), call("schedule")
	parkAll(t, &l, start, old, told)
	parkAll(t, &l, start+time.Second, young)
	l.expire(start + callTimeout - 1)
	if len(old.answers) > 0 {
		t.Errorf("turned away early: %+v", old.answers)
	}
	for range 2 {
		l.expire(start + callTimeout)
	}
	if len(old.answers) != 1 || old.answers[0].Err != muster.ReasonAskAgain.Text || len(young.answers) > 0 {
		t.Errorf("answered %+v and %+v, want one that is to ask again", old.answers, young.answers)
	}
	if got := methodsOf(l.take(nil)); !slices.Equal(got, []string{"layDownTask", "schedule"}) {
		t.Errorf("left %v", got)
	}
	l.expire(start + time.Hour)
}

func TestTheOldestMakeRoom(t *testing.T) {
	var l parkedCalls
	first, second, third := call("schedule"), cast("quit"), call("schedule")
	parkAll(t, &l, 0, first, second, third)
	l.trim(3)
	if len(first.answers) > 0 {
		t.Error("turned away though there is room")
	}
	l.trim(1)
	if len(first.answers) != 1 || len(third.answers) > 0 {
		t.Errorf("answered %+v and %+v, want the first only", first.answers, third.answers)
	}
	if got := methodsOf(l.take(nil)); !slices.Equal(got, []string{"quit", "schedule"}) {
		t.Errorf("left %v", got)
	}
}

func TestParkedCallsAreBounded(t *testing.T) {
	var l parkedCalls
	w := cast("reportLoad")
	for range parkedRoom.requests {
		parkAll(t, &l, 0, w)
	}
	if l.park(item{act: doNothing, req: w.req}, 0) {
		t.Errorf("more than %d wait", parkedRoom.requests)
	}
}

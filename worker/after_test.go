package worker

import "testing"

// A task that has ended for good is laid down, and its reservation given up. A
// connection that broke may have lost both.
func TestLaidDownAndRejectedAreBothTold(t *testing.T) {
	s := started(t)
	s.m.add([]string{"a"})
	s.m.remove("a")
	s.m.reject("a")
	s.m.reject("a")
	s.m.take()
	s.m.castFailed(errAway)
	s.alive("ok", nil)
	s.wants("layDownTask[a]", "unschedule[a]")
	s.m.add([]string{"a"})
	s.m.take()
	s.m.castFailed(errAway)
	s.alive("ok", nil)
	s.wants("pickUpTasks[[a]]")
}

func TestAfterReports(t *testing.T) {
	w := &Worker{woken: make(chan struct{}, 1), machine: machine{id: "w", phase: joined}}
	ran := 0
	w.AddTask("a")
	w.AfterReports(func() { ran++ })
	actions := w.take()
	if _, is := actions[0].(cast); !is || len(actions) != 2 || ran != 0 {
		t.Fatalf("the machine wants %v, and ran %d", actions, ran)
	}
	actions[1].(afterwards).run()
	w.do(func(m *machine) { m.end(ErrQuit) })
	w.AfterReports(func() { ran++ })
	if ran != 2 {
		t.Errorf("a worker that has ended ran %d of 2", ran)
	}
}

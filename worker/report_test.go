package worker

import (
	"testing"
	"time"
)

// riding is a script whose keep-alives may carry the load.
func riding(t *testing.T) *script {
	s := started(t)
	s.m.report.rides = true
	return s
}

// second lets a second pass, and a load be measured.
func (s *script) second(load float64) {
	s.m.now = s.m.now.Add(time.Second)
	s.m.measured(load)
}

// A manager that takes the load from keep-alives gets one message an interval.
func TestLoadRidesWithKeepAlives(t *testing.T) {
	s := riding(t)
	s.second(0.25)
	s.wants("reportLoad[0.25]") // no keep-alive was answered yet
	s.m.tick()
	s.wants("alive1[0.25]")
	s.m.keepAliveAnswered(1, "ok+load", nil)
	for range 10 { // not even the repetition after some time
		s.second(0.5)
	}
	s.wants()
	s.m.tick()
	s.wants("alive2[0.5]")
}

// OWT's manager, and an older one of Muster's that becomes leader, answer "ok":
// they get the load as ever.
func TestLoadDoesNotRideToOtherManagers(t *testing.T) {
	s := riding(t)
	s.second(0.25)
	s.wants("reportLoad[0.25]")
	s.m.tick()
	s.wants("alive1[0.25]")
	s.m.keepAliveAnswered(1, "ok+load", nil)
	s.m.tick()
	s.wants("alive2[0.25]")
	s.m.keepAliveAnswered(2, "ok", nil)
	s.second(0.5)
	s.wants("reportLoad[0.5]")
	s.m.tick()
	s.wants("alive3[0.5]")
	s.m.keepAliveAnswered(3, "ok+load", nil)
	s.m.keepAliveAnswered(2, "ok", nil) // late
	s.second(0.75)
	s.wants()
	s.m.tick()
	s.wants("alive4[0.75]")
	s.m.keepAliveAnswered(4, "whoareyou", nil)
	s.m.joinAnswered("initializing", nil)
	s.wants("LOST", "join", "reportLoad[0.75]", "RECOVERED", "rest") // another manager may not know how
	s.second(0.5)
	s.wants("reportLoad[0.5]")
}

// A load that was measured before a task came does not say what the task adds:
// it must not settle the manager's debit for it.
func TestLoadBeforeATaskDoesNotRide(t *testing.T) {
	s := riding(t)
	s.second(0.25)
	s.wants("reportLoad[0.25]")
	s.m.tick()
	s.wants("alive1[0.25]")
	s.m.keepAliveAnswered(1, "ok+load", nil)
	s.m.add([]string{"a"})
	s.wants("pickUpTasks[[a]]")
	s.m.tick()
	s.wants("alive2")
	s.m.keepAliveAnswered(2, "ok", nil) // it carried none: this says nothing
	s.second(0.25)
	s.wants()
	s.m.tick()
	s.wants("alive3[0.25]")
	s.m.keepAliveAnswered(3, "ok+load", nil)
	s.m.remove("a")
	s.wants("layDownTask[a]")
	s.m.tick()
	s.wants("alive4")
}

// Keep-alives that are rarer than measurements do not carry the load.
func TestRareKeepAlivesCarryNoLoad(t *testing.T) {
	for keepAlive, want := range map[time.Duration]bool{800 * time.Millisecond: true, time.Second: true, 5 * time.Second: false} {
		w, err := newWorker(nil, Options{Purpose: "p", ID: "w", IP: "192.0.2.1", KeepAlive: keepAlive}, "1")
		if err != nil || w.machine.report.rides != want {
			t.Errorf("keep-alives each %v: %v, %v", keepAlive, w.machine.report.rides, err)
		}
	}
}

package worker

import (
	"math"
	"time"
)

// report decides when the load is reported: with the next keep-alive, where the
// manager reads it from there, else in a message of its own. One message an
// interval instead of two halves the work of an idle fleet.
type report struct {
	// every is how often the load is measured, repeat how often it is reported
	// even if it does not change.
	every, repeat time.Duration
	// rides: keep-alives are frequent enough to carry the load.
	rides bool
	// taken: the manager takes the load from keep-alives, as its last answer to
	// one said. carried is the last that had one.
	taken   bool
	carried uint64

	// load is the last one measured, to a thousandth. known: there is one.
	load  float64
	known bool
	// due: tasks came or went, so that the manager's estimate of their load
	// waits for a measurement. stale: there was none since.
	due, stale bool

	reported   float64
	reportedAt time.Time

	overloaded bool
}

// outdated notes that a task came or went.
func (r *report) outdated() { r.due, r.stale = true, true }

// ride returns the load that the next keep-alive carries; nil for none. A load
// that was measured before the last task came or went is held back: it would
// replace the manager's estimate of what that task adds.
func (r *report) ride() *float64 {
	if !r.rides || !r.known || r.stale {
		return nil
	}
	load := r.load
	return &load
}

// measured takes in a new measurement.
func (m *machine) measured(load float64) {
	r := &m.report
	r.load, r.known, r.stale = math.Round(load*1000)/1000, true, false
	if m.phase == joined && !r.taken && r.wanted(m.now) {
		m.tellLoad()
	}
	if over := load > OverloadAbove; over != r.overloaded {
		r.overloaded = over
		m.emit(happenedOverloaded{over})
	}
}

// wanted reports whether the load is due now. Measurements have their own
// interval; the tenth allows for a late one.
func (r *report) wanted(now time.Time) bool {
	passed := now.Sub(r.reportedAt)
	if passed < r.every*9/10 {
		return false
	}
	return r.due || r.load != r.reported || passed >= r.repeat
}

// tellLoad reports the load that was measured last, if any.
func (m *machine) tellLoad() {
	r := &m.report
	if r.known && !m.unloaded {
		m.tell("reportLoad", r.load)
		r.reported, r.reportedAt, r.due = r.load, m.now, false
	}
}

// keepAlive is the next keep-alive, with the load that it reports.
func (m *machine) keepAlive() callKeepAlive {
	call := callKeepAlive{beat: m.beat}
	if !m.unloaded {
		call.load = m.report.ride()
	}
	if call.load != nil {
		m.report.carried = m.beat
	}
	return call
}

// answered notes whether the manager took the load of that keep-alive.
func (r *report) answered(beat uint64, took bool) {
	if beat == r.carried {
		r.taken = took
	}
}

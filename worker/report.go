package worker

import (
	"math"
	"time"
)

// report decides when a load is told to the manager.
type report struct {
	// every is how often the load is measured, repeat how often it is told
	// even if it does not change.
	every, repeat time.Duration

	// load is the last one measured, to a thousandth. known: there is one.
	load  float64
	known bool
	// due: tasks came or went, so that the manager's guess of what they add to
	// the load waits for a measurement.
	due bool

	told   float64
	toldAt time.Time

	overloaded bool
}

// measured is a load that was measured just now.
func (m *machine) measured(load float64) {
	r := &m.report
	r.load, r.known = math.Round(load*1000)/1000, true
	if m.phase == joined && r.wanted(m.now) {
		m.tellLoad()
	}
	if over := load > OverloadAbove; over != r.overloaded {
		r.overloaded = over
		m.emit(happenedOverloaded{over})
	}
}

// wanted reports whether the load should be told now. Measurements come at
// their own pace; the tenth forgives the unpunctual one.
func (r *report) wanted(now time.Time) bool {
	passed := now.Sub(r.toldAt)
	if passed < r.every*9/10 {
		return false
	}
	return r.due || r.load != r.told || passed >= r.repeat
}

// tellLoad tells the load as it was measured last, if it ever was.
func (m *machine) tellLoad() {
	r := &m.report
	if r.known && !m.unloaded {
		m.tell("reportLoad", r.load)
		r.told, r.toldAt, r.due = r.load, m.now, false
	}
}

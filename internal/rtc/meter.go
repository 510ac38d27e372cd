package rtc

import "time"

// burstTime is how much of a bitrate may come at once.
const burstTime = time.Second

// Meter says which packets are beyond a bitrate. It has no clock: each call says
// what time it is. The zero value is ready.
type Meter struct {
	level float64 // bits that have come and are not yet worth the time since
	last  time.Time
}

// Take takes a packet of that many bytes, and reports whether it is within rate,
// in bits per second; 0 is no limit.
func (m *Meter) Take(now time.Time, bytes, rate int) bool {
	if rate <= 0 {
		return true
	}
	if !m.last.IsZero() {
		m.level = max(0, m.level-now.Sub(m.last).Seconds()*float64(rate))
	}
	m.last = now
	bits := float64(8 * bytes)
	if m.level+bits > float64(rate)*burstTime.Seconds() {
		return false
	}
	m.level += bits
	return true
}

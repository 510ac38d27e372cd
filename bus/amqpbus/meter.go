package amqpbus

import "time"

// meter measures how many deliveries are unacknowledged over time.
type meter struct {
	limit   int
	open    int
	full    bool // the limit was reached
	settled int
	arrived int
	bytes   int           // of what arrived
	begun   time.Time     // of the reading
	since   time.Time     // of the last change
	area    time.Duration // open × time
}

func newMeter() meter {
	now := time.Now()
	return meter{begun: now, since: now}
}

func (m *meter) add(n int) {
	now := time.Now()
	m.area += time.Duration(m.open) * now.Sub(m.since)
	m.since = now
	m.open += n
	m.full = m.full || m.open >= m.limit
}

// receive counts a delivery with a body of that length.
func (m *meter) receive(bytes int) {
	m.add(1)
	m.arrived++
	m.bytes += bytes
}

func (m *meter) settle(n int) {
	if n > 0 {
		m.add(-n)
		m.settled += n
	}
}

// read returns the measurements since the previous read.
func (m *meter) read() reading {
	m.add(0)
	r := reading{inHand: m.open, full: m.full, settled: m.settled}
	if past := m.since.Sub(m.begun); past > 0 {
		r.mean = m.area.Seconds() / past.Seconds()
	}
	if m.arrived > 0 {
		r.body = float64(m.bytes) / float64(m.arrived)
	}
	m.begun, m.area, m.settled, m.arrived, m.bytes = m.since, 0, 0, 0, 0
	m.full = m.open >= m.limit
	return r
}

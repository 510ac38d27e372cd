package muster

import "time"

// Instant is a point in time: milliseconds since the Unix epoch. The core of
// the module never reads a clock; the caller that hands it a command says with an
// Instant what time it is.
type Instant int64

// InstantOf returns t as an Instant, rounded down to a millisecond.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Add returns the instant d later, rounded down to a millisecond.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// Time returns i as a time.Time in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

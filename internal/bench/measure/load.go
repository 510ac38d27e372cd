// Package measure makes calls for a while, and counts and times them.
package measure

import (
	"context"
	"sync"
	"time"
)

// AnswerTime is how long a call may still take after the end of the slice.
const AnswerTime = 5 * time.Second

// A Caller makes one call and waits for its answer. lane is the number of the
// goroutine that it is called on.
type Caller func(ctx context.Context, lane int) error

// Load makes calls, with one goroutine for each call in flight.
type Load struct {
	call  Caller
	lanes []lane
	// rates are the answered calls a second of each slice.
	rates []float64
	total time.Duration
	// cpu is the processor time that the process used meanwhile.
	cpu time.Duration
}

// lane is what one goroutine measured.
type lane struct {
	times    Histogram
	answered int
	failed   int
	err      error // the first one
}

// NewLoad returns a load of inflight calls at a time.
func NewLoad(inflight int, call Caller) *Load {
	return &Load{call: call, lanes: make([]lane, inflight)}
}

// Slice makes calls for d, and waits for those that are still in flight, whose time
// counts too. If ctx ends, Slice makes no more calls, but aborts none.
func (l *Load) Slice(ctx context.Context, d time.Duration) {
	before := l.Answered()
	start, cpu := Now(), CPUTime()
	var lanes sync.WaitGroup
	for i := range l.lanes {
		lanes.Go(func() { l.drive(ctx, i, start+d) })
	}
	lanes.Wait()
	took := Now() - start
	l.total += took
	l.cpu += CPUTime() - cpu
	l.rates = append(l.rates, float64(l.Answered()-before)/took.Seconds())
}

func (l *Load) drive(ctx context.Context, i int, end time.Duration) {
	// A context for each lane: one for all would make them queue for its lock.
	calls, cancel := context.WithTimeout(context.WithoutCancel(ctx), end-Now()+AnswerTime)
	defer cancel()
	lane := &l.lanes[i]
	for at := Now(); at < end && ctx.Err() == nil; {
		err := l.call(calls, i)
		answered := Now()
		lane.count(answered-at, err)
		at = answered
	}
}

func (l *lane) count(took time.Duration, err error) {
	if err != nil {
		l.failed++
		if l.err == nil {
			l.err = err
		}
		return
	}
	l.answered++
	l.times.Add(took)
}

// Forget discards what was measured so far.
func (l *Load) Forget() {
	clear(l.lanes)
	l.rates, l.total, l.cpu = nil, 0, 0
}

// Answered is how many calls were answered.
func (l *Load) Answered() int {
	n := 0
	for i := range l.lanes {
		n += l.lanes[i].answered
	}
	return n
}

// Failed is how many calls failed, and why the first of them did.
func (l *Load) Failed() (n int, reason string) {
	for i := range l.lanes {
		n += l.lanes[i].failed
		if reason == "" && l.lanes[i].err != nil {
			reason = l.lanes[i].err.Error()
		}
	}
	return n, reason
}

// Times are how long the answered calls took.
func (l *Load) Times() *Histogram {
	var all Histogram
	for i := range l.lanes {
		all.Merge(&l.lanes[i].times)
	}
	return &all
}

// CPUPerCall is the processor time of an answered call, 0 where there is none.
func (l *Load) CPUPerCall() time.Duration {
	return l.cpu / time.Duration(max(l.Answered(), 1))
}

// PerSecond is the rate over all slices.
func (l *Load) PerSecond() int64 { return PerSecond(l.Answered(), l.total) }

// Rates are the answered calls a second of each slice, in order.
func (l *Load) Rates() []float64 { return l.rates }

package bench

import (
	"context"
	"sync"
	"time"
)

// answerTime is how long a call may take, once the slice is over.
const answerTime = 5 * time.Second

// A caller makes one call and waits for its answer. lane is the number of the
// goroutine that it is called on.
type caller func(ctx context.Context, lane int) error

// load makes calls, on one goroutine for each that is to be in flight.
type load struct {
	call  caller
	lanes []lane
	// rates are the answered calls a second of each slice.
	rates []float64
	total time.Duration
	// cpu is the processor time that the process used meanwhile.
	cpu time.Duration
}

// lane is what one goroutine measured.
type lane struct {
	times    histogram
	answered int
	failed   int
	err      error // the first one
}

func newLoad(inflight int, call caller) *load {
	return &load{call: call, lanes: make([]lane, inflight)}
}

// slice makes calls for d, and waits for those that are still in flight. The
// time of these counts. A ctx that is over ends it early, but no call.
func (l *load) slice(ctx context.Context, d time.Duration) {
	before := l.answered()
	start, cpu := now(), cpuTime()
	var lanes sync.WaitGroup
	for i := range l.lanes {
		lanes.Go(func() { l.drive(ctx, i, start+d) })
	}
	lanes.Wait()
	took := now() - start
	l.total += took
	l.cpu += cpuTime() - cpu
	l.rates = append(l.rates, float64(l.answered()-before)/took.Seconds())
}

func (l *load) drive(ctx context.Context, i int, end time.Duration) {
	// A context for each lane: one for all would make them queue for its lock.
	calls, cancel := context.WithTimeout(context.WithoutCancel(ctx), end-now()+answerTime)
	defer cancel()
	lane := &l.lanes[i]
	for at := now(); at < end && ctx.Err() == nil; {
		err := l.call(calls, i)
		answered := now()
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
	l.times.add(took)
}

// forget drops what was measured so far.
func (l *load) forget() {
	clear(l.lanes)
	l.rates, l.total, l.cpu = nil, 0, 0
}

func (l *load) answered() int {
	n := 0
	for i := range l.lanes {
		n += l.lanes[i].answered
	}
	return n
}

func (l *load) failed() (n int, reason string) {
	for i := range l.lanes {
		n += l.lanes[i].failed
		if reason == "" && l.lanes[i].err != nil {
			reason = l.lanes[i].err.Error()
		}
	}
	return n, reason
}

func (l *load) times() *histogram {
	var all histogram
	for i := range l.lanes {
		all.merge(&l.lanes[i].times)
	}
	return &all
}

// cpuPerCall is the processor time of an answered call, 0 where there is none.
func (l *load) cpuPerCall() time.Duration {
	return l.cpu / time.Duration(max(l.answered(), 1))
}

// perSecond is the rate over all slices.
func (l *load) perSecond() int64 { return perSecond(l.answered(), l.total) }

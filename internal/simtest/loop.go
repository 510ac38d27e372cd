package simtest

import (
	"math/rand/v2"
	"time"
)

// loop is virtual time: what happens is in a heap, by its time, and nothing
// else makes time pass.
type loop struct {
	now  time.Duration
	rng  *rand.Rand
	seq  uint64
	heap []event
}

type event struct {
	at  time.Duration
	seq uint64 // of two at the same time, the one that was asked for first
	run func()
}

func newLoop(seed uint64) *loop { return &loop{rng: rand.New(rand.NewPCG(seed, 0x73696d))} }

func (e *event) before(other *event) bool {
	return e.at < other.at || e.at == other.at && e.seq < other.seq
}

// after has f run that much later.
func (l *loop) after(d time.Duration, f func()) {
	l.seq++
	l.heap = append(l.heap, event{l.now + d, l.seq, f})
	for i := len(l.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !l.heap[i].before(&l.heap[parent]) {
			break
		}
		l.heap[i], l.heap[parent] = l.heap[parent], l.heap[i]
		i = parent
	}
}

// step lets the next thing happen. There is always one: clocks tick.
func (l *loop) step() {
	next := l.heap[0]
	last := len(l.heap) - 1
	l.heap[0], l.heap[last] = l.heap[last], event{}
	l.heap = l.heap[:last]
	l.sink()
	l.now = next.at
	next.run()
}

func (l *loop) sink() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(l.heap); child++ {
			if l.heap[child].before(&l.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		l.heap[i], l.heap[least] = l.heap[least], l.heap[i]
		i = least
	}
}

// between draws a time.
func (l *loop) between(low, high time.Duration) time.Duration {
	return low + time.Duration(l.rng.Int64N(int64(high-low)+1))
}

// chance is true n times of a thousand.
func (l *loop) chance(n int) bool { return n > 0 && l.rng.IntN(1000) < n }

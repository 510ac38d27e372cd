package simtest

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// loop is virtual time: what happens is in a heap, by its time, and nothing
// else makes time pass.
type loop struct {
	now  time.Duration
	rng  *rand.Rand
	seq  uint64
	heap events
}

type event struct {
	at  time.Duration
	seq uint64 // of two at the same time, the one that was asked for first
	run func()
}

func newLoop(seed uint64) *loop { return &loop{rng: rand.New(rand.NewPCG(seed, 0x73696d))} }

// events implement heap.Interface.
type events []*event

func (h events) Len() int { return len(h) }
func (h events) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(e any)   { *h = append(*h, e.(*event)) }

func (h *events) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}

// after has f run that much later.
func (l *loop) after(d time.Duration, f func()) {
	l.seq++
	heap.Push(&l.heap, &event{l.now + d, l.seq, f})
}

// step lets the next thing happen. There is always one: clocks tick.
func (l *loop) step() {
	next := heap.Pop(&l.heap).(*event)
	l.now = next.at
	next.run()
}

// between draws a time.
func (l *loop) between(low, high time.Duration) time.Duration {
	return low + time.Duration(l.rng.Int64N(int64(high-low)+1))
}

// chance is true n times of a thousand.
func (l *loop) chance(n int) bool { return n > 0 && l.rng.IntN(1000) < n }

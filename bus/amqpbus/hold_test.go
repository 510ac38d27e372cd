package amqpbus

import (
	"math/rand/v2"
	"testing"
)

// TestHoldKnowsWhatIsOpen: in whatever order deliveries arrive and are dealt
// with, everything up to the limit has arrived and is not open.
func TestHoldKnowsWhatIsOpen(t *testing.T) {
	const n = 40
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		h := newHold(&session{}, nil)
		open := map[uint64]*held{}
		arrived := map[uint64]bool{}
		order := r.Perm(n)
		if seed%2 == 0 {
			order = inOrder(n)
		}
		for _, i := range order {
			tag := uint64(i + 1)
			open[tag] = h.receive(tag)
			arrived[tag] = true
			for tag, k := range open {
				if r.IntN(3) == 0 {
					k.settle(true)
					delete(open, tag)
				}
			}
			checkLimit(t, h, open, arrived)
		}
		for tag, k := range open {
			k.settle(true)
			delete(open, tag)
		}
		if _, limit := h.takeSettled(); limit != n || h.oldest != nil || h.newest != nil || len(h.early) != 0 {
			t.Fatalf("seed %d: at the end the limit is %d, and %v are open", seed, limit, h.oldest)
		}
	}
}

func inOrder(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// checkLimit: the limit is the highest that it can be.
func checkLimit(t *testing.T, h *hold, open map[uint64]*held, arrived map[uint64]bool) {
	t.Helper()
	_, limit := h.takeSettled()
	for tag := uint64(1); tag <= limit; tag++ {
		if open[tag] != nil || !arrived[tag] {
			t.Fatalf("limit %d, though %d is open or has not arrived", limit, tag)
		}
	}
	if next := limit + 1; open[next] == nil && arrived[next] {
		t.Fatalf("limit %d, though %d was dealt with", limit, next)
	}
}

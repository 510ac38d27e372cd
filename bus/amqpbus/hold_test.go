package amqpbus

import (
	"math/rand/v2"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestHoldKnowsWhatIsOpen: in whatever order deliveries are dealt with,
// everything up to the limit has arrived and is not open.
func TestHoldKnowsWhatIsOpen(t *testing.T) {
	const n = 40
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		h := newHold(&session{}, nil, nil)
		open := map[uint64]*held{}
		arrived := map[uint64]bool{}
		for i := range n {
			tag := uint64(i + 1)
			open[tag] = h.receive(tag, 1)
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
		if limit := h.limit(); limit != n || h.oldest != nil || h.newest != nil {
			t.Fatalf("seed %d: at the end the limit is %d, and %v are open", seed, limit, h.oldest)
		}
	}
}

// checkLimit: the limit is the highest that it can be.
func checkLimit(t *testing.T, h *hold, open map[uint64]*held, arrived map[uint64]bool) {
	t.Helper()
	limit := h.limit()
	for tag := uint64(1); tag <= limit; tag++ {
		if open[tag] != nil || !arrived[tag] {
			t.Fatalf("limit %d, though %d is open or has not arrived", limit, tag)
		}
	}
	if next := limit + 1; open[next] == nil && arrived[next] {
		t.Fatalf("limit %d, though %d was dealt with", limit, next)
	}
}

// TestEachIsAcknowledgedOnce: in whatever order deliveries are dealt with, each is
// acknowledged once: alone, or with all up to one that was not yet. While many are
// open, those that need not be wait for the ones before them.
func TestEachIsAcknowledgedOnce(t *testing.T) {
	const n = 4 * fewOpen
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		h := newHold(&session{}, nil, nil)
		var open []*held
		for i := range n {
			open = append(open, h.receive(uint64(i+1), 1))
		}
		// Nearly in order, as when some are dealt with by another goroutine.
		for i := range open {
			if j := min(i+r.IntN(8), n-1); r.IntN(4) == 0 {
				open[i], open[j] = open[j], open[i]
			}
		}
		acked, settled, now, single := map[uint64]bool{}, map[uint64]bool{}, time.Now(), 0
		ack := func(tag uint64) {
			if acked[tag] || !settled[tag] {
				t.Fatalf("seed %d: %d is acknowledged, settled %v, acknowledged before %v", seed, tag, settled[tag], acked[tag])
			}
			acked[tag] = true
		}
		for i, k := range open {
			k.settle(true)
			settled[k.tag] = true
			many := n-len(acked) > fewOpen
			upTo, singles, _ := h.takeSettled(now)
			for _, tag := range singles {
				ack(tag)
			}
			if many {
				single += len(singles)
			}
			if upTo > 0 && acked[upTo] {
				t.Fatalf("seed %d: all up to %d are acknowledged, which was before", seed, upTo)
			}
			for tag := uint64(1); tag <= upTo; tag++ {
				if !acked[tag] {
					ack(tag)
				}
			}
			if i == n/2 { // a later look finds those that waited for long
				_, singles, _ := h.takeSettled(now.Add(time.Minute))
				for _, tag := range singles {
					ack(tag)
				}
			}
		}
		if len(acked) != n || h.meter.open != 0 {
			t.Errorf("seed %d: %d of %d are acknowledged, and %d open", seed, len(acked), n, h.meter.open)
		}
		if single > 0 {
			t.Errorf("seed %d: %d were acknowledged alone while many were open", seed, single)
		}
	}
}

// TestSequence: in whatever order deliveries arrive, they are handed on as they
// were sent, each as soon as can be.
func TestSequence(t *testing.T) {
	const n = 30
	for seed := range uint64(200) {
		var s sequence
		arrived := map[uint64]bool{}
		last := uint64(0)
		for _, i := range rand.New(rand.NewPCG(seed, 1)).Perm(n) {
			tag := uint64(i + 1)
			arrived[tag] = true
			s.put(amqp.Delivery{DeliveryTag: tag}, func(d amqp.Delivery) {
				if last++; d.DeliveryTag != last || !arrived[last] {
					t.Fatalf("seed %d: %d came after %d", seed, d.DeliveryTag, last-1)
				}
			})
			if arrived[last+1] {
				t.Fatalf("seed %d: %d has arrived and waits, though it is next", seed, last+1)
			}
		}
		if last != n || len(s.early) != 0 {
			t.Fatalf("seed %d: the last of %d is %d", seed, n, last)
		}
	}
}

package amqpbus

import (
	"testing"
	"time"

	"testing/synctest"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (w window) afterAll(n int, r reading) window {
	for range n {
		w = w.after(r)
	}
	return w
}

func TestWindowFollowsLoad(t *testing.T) {
	const halfSecond = roomyLooks * roomySpans
	for _, c := range []struct {
		name  string
		from  int
		looks int
		r     reading
		want  int
	}{
		{"idle", mostInHand, halfSecond, reading{}, leastInHand},
		{"not idle for long enough", mostInHand, halfSecond - 1, reading{}, mostInHand},
		{"500 a second", mostInHand, halfSecond, reading{mean: 0.25, settled: 5}, 1},
		{"half busy", 64, halfSecond, reading{mean: 1, settled: 5}, 2},
		{"as much as fits", 16, 10 * halfSecond, reading{mean: 4.1, full: true, settled: 50}, 16},
		{"one waits by chance", 1, 1, reading{mean: 1, full: true, settled: 9, waiting: 1}, 1},
		{"some wait", 1, crowdedLooks, reading{mean: 1, full: true, settled: 9, waiting: 2}, 2},
		{"many wait", 1, 2 * crowdedLooks, reading{mean: 1, full: true, settled: 9, waiting: 63}, 16},
		{"as many as can be", 32, 9 * crowdedLooks, reading{mean: 9, full: true, settled: 9, waiting: 999}, mostInHand},
		{"stuck for a moment", 1, stuckLooks - 1, reading{inHand: 1, mean: 1, full: true, waiting: 99}, 1},
		{"stuck", 1, stuckLooks, reading{inHand: 1, mean: 1, full: true, waiting: 99}, 2},
	} {
		if w := (window{limit: c.from}).afterAll(c.looks, c.r); w.limit != c.want {
			t.Errorf("%s: from %d to %d, want %d", c.name, c.from, w.limit, c.want)
		}
	}
}

// TestNewLeaderIsSoonNarrow, and stays as wide as the backlog needs.
func TestNewLeaderIsSoonNarrow(t *testing.T) {
	if w := newWindow().afterAll(roomyLooks, reading{mean: 0.2}); w.limit != leastInHand {
		t.Errorf("without load it is %d wide", w.limit)
	}
	if w := newWindow().afterAll(roomyLooks, reading{mean: 20}); w.limit != firstInHand {
		t.Errorf("under load it is %d wide", w.limit)
	}
}

// TestBacklogIsWorkedOff: what gathered while nothing could be done needs no
// room, if it gets less; a queue that stays as long does.
func TestBacklogIsWorkedOff(t *testing.T) {
	w := window{limit: 1}
	for waiting := 100; waiting > 0; waiting -= 12 {
		w = w.after(reading{inHand: 1, mean: 1, full: true, settled: 17, waiting: waiting})
	}
	if w.limit != 1 {
		t.Errorf("the window is %d wide, want 1", w.limit)
	}
	for i := range 8 {
		w = w.after(reading{inHand: 1, mean: 1, full: true, settled: 17, waiting: 63 + i%2})
	}
	if w.limit == 1 {
		t.Error("the window stays narrow")
	}
}

// TestWindowKeepsRoomForBursts: a load that comes and goes is as one that stays.
func TestWindowKeepsRoomForBursts(t *testing.T) {
	w := window{limit: 32}
	for range 20 {
		w = w.afterAll(roomyLooks, reading{mean: 20, settled: 300})
		w = w.afterAll(3*roomyLooks, reading{})
	}
	if w.limit != 32 {
		t.Errorf("the window is %d wide, want 32", w.limit)
	}
}

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter()
		m.limit = 2
		time.Sleep(time.Second)
		m.add(1)
		time.Sleep(time.Second)
		m.add(1)
		time.Sleep(time.Second)
		m.settle(1)
		time.Sleep(time.Second)
		if r := m.read(); r != (reading{inHand: 1, mean: 1, full: true, settled: 1}) {
			t.Errorf("read %+v", r)
		}
		time.Sleep(time.Second)
		m.settle(1)
		time.Sleep(time.Second)
		if r := m.read(); r != (reading{mean: 0.5, settled: 1}) {
			t.Errorf("read %+v afterwards", r)
		}
	})
}

// acknowledged counts the placeholders that were given up.
type acknowledged struct {
	amqp.Acknowledger
	times int
}

func (b *acknowledged) Ack(uint64, bool) error { b.times++; return nil }

// TestPlaceholderIsRenewed: the broker sees that an anchor does not keep its placeholder for
// ever, and a placeholder that a policy has dropped is followed by another.
func TestPlaceholderIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &acknowledged{}
		delivered := make(chan amqp.Delivery, 1)
		published := 0
		p := &placeholders{delivered: delivered, over: make(chan struct{}), publish: func() error {
			if published++; published%2 == 0 { // each other one is dropped
				delivered <- amqp.Delivery{Acknowledger: b, DeliveryTag: uint64(published)}
			}
			return nil
		}}
		first, err := p.first()
		if err != nil || first.DeliveryTag != 2 {
			t.Fatalf("the first is %d, %v", first.DeliveryTag, err)
		}
		done := make(chan struct{})
		go func() { defer close(done); p.renew(first) }()
		time.Sleep(2*renewAfter + 3*placeholderTimeout)
		close(delivered)
		<-done
		if b.times != 2 || published != 6 {
			t.Errorf("given up %d times, want 2; published %d, want 6", b.times, published)
		}
	})
}

// TestWindowFitsTheBodies: the larger the bodies, the fewer of them.
func TestWindowFitsTheBodies(t *testing.T) {
	b, w := bodySize(0), window{limit: 64}
	for _, c := range []struct {
		body float64
		want int
	}{{200, 64}, {8 << 20, 8}, {0, 8}} {
		for range 100 {
			b = b.after(reading{body: c.body})
			w = b.fit(w)
		}
		if w.limit != c.want {
			t.Errorf("bodies of %.0f bytes: %d in hand, want %d", c.body, w.limit, c.want)
		}
	}
	if w = b.fit(window{limit: floodInHand}); float64(w.limit)*float64(b) > handBytes {
		t.Errorf("%d in hand of %.0f bytes each", w.limit, b)
	}
}

package host

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
)

// A memory alarm of the broker silences every manager: another leader would be no
// better. A broker that stands still may do so for this manager only.
func TestLeaderStaysWhileTheBrokerIsBlocked(t *testing.T) {
	broker := rabbit.Broker(t)
	conn, err := amqpbus.Dial(t.Context(), bus.Options{URL: broker.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	status := make(chan bool, 100)
	t.Cleanup(conn.Watch(func(s bus.Status) { status <- s.Blocked }))
	handed := make(chan struct{}, 100)
	l := &leaderWatch{
		conn: conn, key: "leaderWatch.test", heard: make(chan struct{}, 1), log: slog.New(slog.DiscardHandler),
		leads:    func(context.Context) bool { return true },
		handOver: func(context.Context) error { handed <- struct{}{}; return nil },
	}
	if l.sub, err = conn.Subscribe(t.Context(), topicLeaderWatch, l.key, l.listen); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	l.end, l.unwatch = end, conn.Watch(l.follow)
	ticks := make(chan time.Time)
	l.running.Go(func() { l.run(ctx, ticks) })
	t.Cleanup(func() { _ = l.close() })

	alarm := func(watermark string, blocked bool) {
		t.Helper()
		if err := broker.Ctl(t.Context(), "set_vm_memory_high_watermark", watermark); err != nil {
			t.Fatal(err)
		}
		for now := !blocked; now != blocked; {
			l.say(ctx) // the broker says so to those who publish
			select {
			case now = <-status:
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	alarm("0", true)
	for range 3 * firstMisses {
		ticks <- time.Now()
	}
	if n := len(handed); n != 0 {
		t.Errorf("the lead was given away %d times while the broker was blocked", n)
	}
	alarm("0.6", false)
	if err := broker.Freeze(); err != nil {
		t.Fatal(err)
	}
	for range 2*firstMisses + 2 {
		ticks <- time.Now()
	}
	if len(handed) == 0 {
		t.Error("the broker stands still, and the leader stays")
	}
	if err := broker.Thaw(); err != nil {
		t.Fatal(err)
	}
}

package amqpbus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
)

// BenchmarkHold compares a call that the broker holds until it is answered with
// one to a plain server. Both take turns in one run, as in BenchmarkCall; ns/op
// is that of the call that is held.
func BenchmarkHold(b *testing.B) {
	for _, inFlight := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) { benchmarkHold(b, inFlight) })
	}
}

func benchmarkHold(b *testing.B, inFlight int) {
	broker := shared.Broker(b)
	leader, follower, client := dial(b, broker), dial(b, broker), dial(b, broker)
	place := func(r *bus.Request) { r.Reply(placed) }
	p, err := leader.JoinGroup(within(b), "bench-held", place)
	if err == nil {
		err = p.Lead(within(b), 1)
	}
	if err == nil {
		_, err = follower.JoinGroup(within(b), "bench-held", place)
	}
	if err != nil {
		b.Fatal(err)
	}
	serve(b, dial(b, broker), "bench-plain", place)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	held := func() { callServer(ctx, b, client, "bench-held") }
	plain := func() { callServer(ctx, b, client, "bench-plain") }
	spread(inFlight, min(turn, b.N), held)
	spread(inFlight, min(turn, b.N), plain)
	var ours, theirs spent
	for done := 0; done < b.N; done += turn {
		n := min(turn, b.N-done)
		ours.on(func() { spread(inFlight, n, held) })
		theirs.on(func() { spread(inFlight, n, plain) })
	}
	b.ReportMetric(float64(ours.time.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(theirs.time.Nanoseconds())/float64(b.N), "plain-ns/op")
	b.ReportMetric(ours.time.Seconds()/theirs.time.Seconds(), "ratio")
	b.ReportMetric(ours.cpu.Seconds()/theirs.cpu.Seconds(), "cpu-ratio")
}

func callServer(ctx context.Context, b *testing.B, c *amqpbus.Conn, server string) {
	if _, err := c.Call(ctx, server, "schedule", "webrtc", "task", json.RawMessage(`{"isp":"isp"}`), 60000); err != nil {
		b.Error(err)
	}
}

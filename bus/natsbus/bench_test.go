package natsbus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/nats-io/nats.go"
)

// The arguments and the answer are about those of a schedule.
const (
	benchArg    = "webrtc-task-0123456789abcdef"
	benchAnswer = "webrtc-0123456789abcdef0123@10.0.0.1"
)

// BenchmarkCall holds a call against a bare request of nats.go with the same
// bytes, turn by turn in the same run; "ratio" is calls ÷ bare requests a
// second.
func BenchmarkCall(b *testing.B) {
	br := newBroker(b)
	bare, ours := bareEcho(b, br), busEcho(b, br)
	for _, inFlight := range []int{1, 64, 256} {
		b.Run(fmt.Sprint("inflight=", inFlight), func(b *testing.B) {
			b.ReportAllocs()
			var spent [2]time.Duration
			const turn = 2000
			for done := 0; done < b.N; done += turn {
				n := min(turn, b.N-done)
				spent[0] += flight(inFlight, n, bare)
				spent[1] += flight(inFlight, n, ours)
			}
			b.ReportMetric(float64(b.N)/spent[0].Seconds(), "bare/s")
			b.ReportMetric(float64(b.N)/spent[1].Seconds(), "calls/s")
			b.ReportMetric(float64(spent[0])/float64(spent[1]), "ratio")
		})
	}
}

// flight does n calls, so many at a time.
func flight(inFlight, n int, call func()) time.Duration {
	var wg sync.WaitGroup
	var next atomic.Int64
	began := time.Now()
	for range inFlight {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				call()
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

func bareEcho(b *testing.B, br *broker) func() {
	server, client := bareConn(b, br), bareConn(b, br)
	args, _ := bus.EncodeArgs(benchArg)
	answer, _ := bus.EncodeArgs(benchAnswer)
	request := bus.AppendCall(nil, bus.Call{Method: "schedule", Args: args, CorrID: []byte("123456")})
	reply := bus.AppendReply(nil, bus.Reply{Data: answer[0], CorrID: []byte("123456")})
	if _, err := server.QueueSubscribe("echo", "q", func(m *nats.Msg) { _ = m.Respond(reply) }); err != nil {
		b.Fatal(err)
	}
	if err := server.Flush(); err != nil {
		b.Fatal(err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if _, err := client.RequestWithContext(ctx, "echo", request); err != nil {
			b.Error(err)
		}
		cancel()
	}
}

func bareConn(b *testing.B, br *broker) *nats.Conn {
	nc, err := nats.Connect(br.url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	return nc
}

func busEcho(b *testing.B, br *broker) func() {
	server, client := dialT(b, br.options()), dialT(b, br.options())
	b.Cleanup(func() { server.Close(); client.Close() })
	serveT(b, server, "echo", func(r *bus.Request) { r.Reply(benchAnswer) })
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if _, err := client.Call(ctx, "echo", "schedule", benchArg); err != nil {
			b.Error(err)
		}
		cancel()
	}
}

func BenchmarkPublish(b *testing.B) {
	c := dialT(b, newBroker(b).options())
	b.Cleanup(func() { c.Close() })
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Publish(context.Background(), "owtMonitoring", "exit.quit", benchAnswer); err != nil {
			b.Fatal(err)
		}
	}
}

package amqpbus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

// BenchmarkCall compares a call with a bare echo of the client library, which
// sends the same bytes both ways without a Conn. Both take turns in one run,
// since the machine's speed changes more than what is measured:
//
//	go test -run '^$' -bench BenchmarkCall -count 5 ./bus/amqpbus
//
// ns/op is that of the Conn, bare-ns/op that of the bare echo; the ratios are of
// the Conn to the bare echo.
func BenchmarkCall(b *testing.B) {
	broker := shared.Broker(b)
	for _, inFlight := range []int{1, 64} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) { benchmarkCall(b, broker, inFlight) })
	}
}

// turn is how many calls are made before the other side has its turn.
const turn = 500

func benchmarkCall(b *testing.B, broker *rabbittest.Broker, inFlight int) {
	server, client := dial(b, broker), dial(b, broker)
	serve(b, server, "bench-conn", func(r *bus.Request) { r.Reply(placed) })
	bare := newBareEcho(b, broker)
	// One context for all: what a deadline costs is not the adapter's.
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	viaConn := func() { callPlaced(ctx, b, client) }
	spread(inFlight, min(turn, b.N), viaConn)
	spread(inFlight, min(turn, b.N), bare.call)
	var ours, theirs spent
	for done := 0; done < b.N; done += turn {
		n := min(turn, b.N-done)
		ours.on(func() { spread(inFlight, n, viaConn) })
		theirs.on(func() { spread(inFlight, n, bare.call) })
	}
	b.ReportMetric(float64(ours.time.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(theirs.time.Nanoseconds())/float64(b.N), "bare-ns/op")
	b.ReportMetric(ours.time.Seconds()/theirs.time.Seconds(), "ratio")
	b.ReportMetric(ours.cpu.Seconds()/theirs.cpu.Seconds(), "cpu-ratio")
}

// spent is the time that passed, and that of this process's processors, which
// other programs on the machine hardly change.
type spent struct{ time, cpu time.Duration }

func (s *spent) on(f func()) {
	begin, cpu := time.Now(), processorTime()
	f()
	s.time += time.Since(begin)
	s.cpu += processorTime() - cpu
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spread calls f n times, with so many at once.
func spread(inFlight, n int, f func()) {
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for range work {
				f()
			}
		})
	}
	wg.Wait()
}

// placed is an answer as long as those to schedule are.
var placed = json.RawMessage(`{"id":"webrtc-0123456789abcdef0123@10.0.0.1","info":{"ip":"10.0.0.1","purpose":"webrtc","state":2,"maxLoad":0.85,"capacity":{"isps":["isp"],"regions":["region"]}}}`)

func callPlaced(ctx context.Context, b *testing.B, c *amqpbus.Conn) {
	if _, err := c.Call(ctx, "bench-conn", "schedule", "webrtc", "task", json.RawMessage(`{"isp":"isp"}`), 60000); err != nil {
		b.Error(err)
	}
}

// bareEcho is an echo over the library alone, on two connections as the Conns
// have, with the library's own means: the properties reply-to and
// correlation-id, and bodies of the same length.
type bareEcho struct {
	b       *testing.B
	ch      *amqp.Channel
	server  string
	replyTo string

	mu      sync.Mutex
	next    int
	waiting map[string]chan struct{}
}

func newBareEcho(b *testing.B, broker *rabbittest.Broker) *bareEcho {
	server, requests, name := bareQueue(b, broker)
	caller, answers, replyTo := bareQueue(b, broker)
	e := &bareEcho{b: b, ch: caller, server: name, replyTo: replyTo, waiting: map[string]chan struct{}{}}
	go func() {
		for d := range requests {
			if err := barePublish(server, d.ReplyTo, "", d.CorrelationId, bareAnswer); err != nil {
				return
			}
		}
	}()
	go func() {
		for d := range answers {
			e.take(d.CorrelationId) <- struct{}{}
		}
	}()
	return e
}

var (
	bareRequest = bus.AppendCall(nil, bus.Call{Method: "schedule", Args: bus.Args{
		json.RawMessage(`"webrtc"`), json.RawMessage(`"task"`), json.RawMessage(`{"isp":"isp"}`), json.RawMessage(`60000`),
	}, CorrID: json.RawMessage("100000"), ReplyTo: "amq.gen-0123456789abcdefghijkl"})
	bareAnswer = bus.AppendReply(nil, bus.Reply{Data: placed, CorrID: json.RawMessage("100000")})
)

func bareQueue(b *testing.B, broker *rabbittest.Broker) (*amqp.Channel, <-chan amqp.Delivery, string) {
	conn, err := amqp.Dial(broker.URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		b.Fatal(err)
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	deliveries, err := ch.Consume(q.Name, "c", true, false, false, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	return ch, deliveries, q.Name
}

func barePublish(ch *amqp.Channel, queue, replyTo, id string, body []byte) error {
	return ch.Publish("", queue, false, false, amqp.Publishing{ReplyTo: replyTo, CorrelationId: id, Body: body})
}

func (e *bareEcho) call() {
	done := make(chan struct{}, 1)
	e.mu.Lock()
	id := strconv.Itoa(e.next)
	e.next++
	e.waiting[id] = done
	e.mu.Unlock()
	if err := barePublish(e.ch, e.server, e.replyTo, id, bareRequest); err != nil {
		e.b.Error(err)
		return
	}
	<-done
}

func (e *bareEcho) take(id string) chan<- struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	done := e.waiting[id]
	delete(e.waiting, id)
	return done
}

package manager_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// Requests that wait in RabbitMQ's queue, as they do when more arrive than the
// broker delivers, make no worker look dead: the leader's own wait there, too.
// Here they wait since another consumer has precedence and answers none.
func TestNobodyIsLostWhileRequestsWaitInTheQueue(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	broker := manager.SharedRabbit.Broker(t)
	q := queue{dial: func(ctx context.Context) (bus.Conn, error) { return amqpbus.Dial(ctx, bus.Options{URL: broker.URL()}) }}
	f := &fleet{t: t, ctx: ctx, queue: q}
	var log lines
	opts := options()
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	m, err := manager.Start(ctx, f.conn(), opts)
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	f.client = client.New(f.conn(), client.Options{})
	var left atomic.Int64
	_, err = f.conn().Subscribe(ctx, bus.TopicMonitoring, "exit.#", func(string, json.RawMessage) { left.Add(1) })
	must(t, err)

	lost, back := make(chan struct{}, 3), make(chan struct{}, 3)
	for range 3 {
		w, err := worker.Join(ctx, f.conn(), worker.Options{
			Purpose: "video", KeepAlive: 100 * time.Millisecond,
			Load:        load.Func(func() float64 { return 0.1 }),
			OnLost:      func(*worker.Worker, error) { lost <- struct{}{} },
			OnRecovered: func(*worker.Worker) { back <- struct{}{} },
		})
		must(t, err)
		f.workers = append(f.workers, w)
		t.Cleanup(func() { _ = w.Quit(context.Background()) })
	}

	other, err := amqp.Dial(broker.URL())
	must(t, err)
	t.Cleanup(func() { _ = other.Close() })
	ch, err := other.Channel()
	must(t, err)
	_, err = ch.Consume(opts.Cluster, "", false, false, false, false, amqp.Table{"x-priority": int32(1000)})
	must(t, err)
	f.until("evictions are suspended", func() bool { return log.has("eviction suspended: requests wait") })
	for range f.workers { // by then each was silent for longer than it may be
		receive(t, ctx, lost)
	}
	must(t, ch.Close())
	for range f.workers {
		receive(t, ctx, back)
	}
	list, err := f.client.Workers(ctx, "video")
	if n := left.Load(); err != nil || len(list) != 3 || n != 0 {
		t.Errorf("%d workers of 3 are there, %d were evicted: %v", len(list), n, err)
	}
	must(t, f.workers[0].Quit(ctx))
	f.until("one that quits is announced", func() bool { return left.Load() == 1 })
}

func receive(t *testing.T, ctx context.Context, from <-chan struct{}) {
	t.Helper()
	select {
	case <-from:
	case <-ctx.Done():
		t.Fatal("in vain")
	}
}

package client_test

import (
	"context"
	"log"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/worker"
	"github.com/muster-fleet/muster/worker/load"
)

// startFleet is a message queue, a manager and a worker that encodes vp8, all
// in this process, for the examples. A program of its own says
//
//	conn, err := natsbus.Dial(ctx, bus.Options{URL: "nats://127.0.0.1:4222"})
//
// and closes conn when it is done.
func startFleet(ctx context.Context) (conn bus.Conn, stop func()) {
	queue, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	conn, err = natsbus.Dial(ctx, bus.Options{URL: queue.URL()})
	if err != nil {
		log.Fatal(err)
	}
	options := manager.DefaultOptions()
	options.InitialTime = 0
	m, err := manager.Start(ctx, conn, options)
	if err != nil {
		log.Fatal(err)
	}
	w := startWorker(ctx, conn)
	return conn, func() {
		_ = w.Quit(ctx)
		_ = m.Close()
		_ = conn.Close()
		_ = queue.Close()
	}
}

func startWorker(ctx context.Context, conn bus.Conn) *worker.Worker {
	w, err := worker.Join(ctx, conn, worker.Options{
		Purpose: "video", ID: "video-1", IP: "192.0.2.1",
		Load:     load.Func(func() float64 { return 0.25 }),
		Capacity: muster.Capacity{Video: &muster.Formats{Encode: []string{"vp8"}, Decode: []string{"vp8"}}},
		Handlers: map[string]worker.Handler{
			"mix": worker.Handle(func(_ context.Context, w *worker.Worker, task string) (string, error) {
				w.AddTask(task)
				return "mixing " + task, nil
			}),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return w
}

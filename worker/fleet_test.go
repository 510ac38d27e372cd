package worker_test

import (
	"context"
	"log"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/manager"
)

// startFleet is a message queue and a manager in this process, for the
// examples. A program of its own says
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
	return conn, func() {
		_ = m.Close()
		_ = conn.Close()
		_ = queue.Close()
	}
}

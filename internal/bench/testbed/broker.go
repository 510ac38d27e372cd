// Package testbed provides what benchmarks run on: a queue, and a simulated fleet
// whose workers join a cluster and send keep-alives.
package testbed

import (
	"context"
	"fmt"
	"strings"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
)

// EmbeddedNATS is the URL of a NATS server that is started for the run.
const EmbeddedNATS = "nats://embedded"

// The kinds of queue.
const (
	NATS = "nats"
	AMQP = "amqp"
)

// Broker is the queue of a run.
type Broker struct {
	// Kind is NATS or AMQP.
	Kind string
	// Options reach it.
	Options bus.Options
	// Stop stops a queue that was started for the run.
	Stop func()
}

// FindBroker returns the queue that the options name. A queue that is started for
// the run listens on TCP, and all clients use TCP.
func FindBroker(o bus.Options) (Broker, error) {
	b := Broker{Options: o, Stop: func() {}}
	if o.URL == EmbeddedNATS {
		server, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
		if err != nil {
			return b, fmt.Errorf("start a NATS server: %w", err)
		}
		b.Kind, b.Options.URL = NATS, server.URL()
		b.Stop = func() { _ = server.Close() }
		return b, nil
	}
	switch scheme, _, _ := strings.Cut(o.URL, "://"); scheme {
	case "nats", "tls":
		b.Kind = NATS
	case "amqp", "amqps":
		b.Kind = AMQP
	default:
		return b, fmt.Errorf("url %s must begin with nats://, tls://, amqp:// or amqps://", bus.Redacted(o.URL))
	}
	return b, nil
}

// Connect opens a connection to a queue of that kind.
func Connect(ctx context.Context, kind string, o bus.Options) (bus.Conn, error) {
	if kind == AMQP {
		return amqpbus.Dial(ctx, o)
	}
	return natsbus.Dial(ctx, o)
}

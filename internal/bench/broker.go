package bench

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

const (
	kindNATS = "nats"
	kindAMQP = "amqp"
)

// broker is the queue of a run.
type broker struct {
	kind    string
	options bus.Options
	stop    func()
}

// findBroker returns the queue that the options name. One that is started for
// the run listens on TCP, and is used over it by all alike.
func findBroker(o bus.Options) (broker, error) {
	b := broker{options: o, stop: func() {}}
	if o.URL == EmbeddedNATS {
		server, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
		if err != nil {
			return b, fmt.Errorf("start a NATS server: %w", err)
		}
		b.kind, b.options.URL = kindNATS, server.URL()
		b.stop = func() { _ = server.Close() }
		return b, nil
	}
	switch scheme, _, _ := strings.Cut(o.URL, "://"); scheme {
	case "nats", "tls":
		b.kind = kindNATS
	case "amqp", "amqps":
		b.kind = kindAMQP
	default:
		return b, fmt.Errorf("url %s must begin with nats://, tls://, amqp:// or amqps://", bus.Redacted(o.URL))
	}
	return b, nil
}

func connect(ctx context.Context, kind string, o bus.Options) (bus.Conn, error) {
	if kind == kindAMQP {
		return amqpbus.Dial(ctx, o)
	}
	return natsbus.Dial(ctx, o)
}

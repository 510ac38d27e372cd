// Package connect opens a connection to the message queue that a URL names.
package connect

import (
	"context"
	"fmt"
	"strings"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/bus/natsbus"
)

// Open dials the message queue of o.URL: NATS for nats:// and tls://, RabbitMQ
// for amqp:// and amqps://. It fails at once if no server answers. Its errors
// contain no password.
func Open(ctx context.Context, o bus.Options) (bus.Conn, error) {
	scheme, _, found := strings.Cut(strings.TrimSpace(o.URL), "://")
	if !found {
		return nil, fmt.Errorf("connect: the URL names no scheme: %s", schemes)
	}
	switch strings.ToLower(scheme) {
	case "nats", "tls":
		return opened(natsbus.Dial(ctx, o))
	case "amqp", "amqps":
		return opened(amqpbus.Dial(ctx, o))
	}
	return nil, fmt.Errorf("connect: unknown scheme %q: %s", scheme, schemes)
}

const schemes = "use nats:// or tls:// for NATS, amqp:// or amqps:// for RabbitMQ"

// opened prevents a nil connection from becoming a non-nil bus.Conn.
func opened[C bus.Conn](conn C, err error) (bus.Conn, error) {
	if err != nil {
		return nil, err
	}
	return conn, nil
}

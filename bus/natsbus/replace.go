package natsbus

import (
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/pause"
)

// connectNATS opens a connection of nats.go. The channel is closed after its
// last callback.
func (c *Conn) connectNATS() (*nats.Conn, <-chan struct{}, error) {
	closed := make(chan struct{})
	opts := append(c.opts[:len(c.opts):len(c.opts)], nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	nc, err := nats.Connect(c.urls, opts...)
	return nc, closed, err
}

// keep replaces each connection of nats.go that is closed, until Close. nats.go
// reconnects by itself after most errors, but closes a connection for good when the
// server ends it for certain reasons: a body over a limit that was
// lowered, a control line that is too long, an error that it does not know.
func (c *Conn) keep(closed <-chan struct{}) {
	for closed != nil {
		<-closed
		if c.closing.Load() {
			return
		}
		err := c.nc.Load().LastError()
		c.log.Warn("connection closed by the server, making a new one", "err", err)
		c.watch.Set(bus.Status{Err: fmt.Errorf("%w: %w", bus.ErrDisconnected, err)})
		closed = c.replace()
	}
}

// replace makes the new connection. It returns nil if Close came first.
func (c *Conn) replace() <-chan struct{} {
	for round := 1; pause.For(c.wire.ctx, backoff(round)); round++ {
		c.awaitSubscriptions() // so that no handler runs twice at a time
		nc, closed, err := c.connectNATS()
		if err != nil {
			c.notReconnected(nil, err)
			continue
		}
		if err = c.adopt(nc); err == nil {
			c.reconnected(nc)
			return closed
		}
		c.log.Warn("connection without its subscriptions, making a new one", "err", err)
		nc.Close()
		<-closed
	}
	return nil
}

// adopt moves all subscriptions to the connection.
func (c *Conn) adopt(nc *nats.Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return bus.ErrClosed
	}
	for s := range c.subs {
		if err := s.begin(nc); err != nil {
			return err
		}
	}
	c.nc.Store(nc)
	return nil
}

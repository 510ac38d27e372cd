package cluster

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"

	"github.com/muster-fleet/muster/bus"
)

// raftPort is where each manager listens that has a network to itself.
const raftPort = 7400

// CanBeApart returns why Options.Apart does not work here, nil where it does.
func CanBeApart() error {
	c, err := newCrewApart()
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	defer c.Close()
	end, err := c.joinWire("198.18.0.1/24")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return end.Close()
}

// layApart gives each manager a network of its own, and a wire between them. The
// last place of it is this program's network, with a proxy to the queue.
func (c *Cluster) layApart() error {
	c.wire = newWire()
	for range c.opts.Managers {
		crew, err := newCrewApart()
		if err != nil {
			return err
		}
		m := &Manager{crew: crew, valve: newValve()}
		c.managers = append(c.managers, m)
		m.Addr = net.JoinHostPort(c.wire.host(len(c.wire.ends)), strconv.Itoa(raftPort))
		m.listen = m.Addr
		if err := c.wire.join(crew); err != nil {
			return err
		}
	}
	if err := c.wire.join(c.crew); err != nil {
		return err
	}
	c.wire.start()
	return c.bringQueue()
}

// bringQueue puts a proxy to the message queue at this program's place.
func (c *Cluster) bringQueue() error {
	u, err := url.Parse(c.opts.URL)
	if err != nil || u.Port() == "" {
		return fmt.Errorf("url %s must be one server's, with its port, where managers are apart", bus.Redacted(c.opts.URL))
	}
	broker := u.Host
	p, err := newProxyAt(c.wire.host(len(c.managers)), func() string { return broker },
		func([]byte) ([]*valve, bool) { return nil, true })
	if err != nil {
		return err
	}
	c.proxies = append(c.proxies, p)
	p.start()
	u.Host = p.addr()
	for _, m := range c.managers {
		m.url = u.String()
	}
	return nil
}

// Disturb says what happens to packets between two managers from now on, in
// that direction only. Nil is where the queue, workers and callers are. It
// works with Options.Apart.
func (c *Cluster) Disturb(from, to *Manager, way Way) {
	c.wire.set(c.place(from), c.place(to), way)
}

// Settle ends every Disturb.
func (c *Cluster) Settle() { c.wire.clear() }

// place is that of a manager on the wire, or that of everybody else.
func (c *Cluster) place(m *Manager) int {
	if m == nil {
		return len(c.managers)
	}
	return slices.Index(c.managers, m)
}

// closeApart ends the networks.
func (c *Cluster) closeApart() {
	if c.wire == nil {
		return
	}
	for _, m := range c.managers {
		m.crew.Close()
	}
	c.wire.close()
}

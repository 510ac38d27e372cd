package simtest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/muster-fleet/muster/bus"
)

// client is a process that uses the queue.
type client struct {
	process
	conn *conn
	// connected and gone are called when the connection changes; gone may be nil.
	connected func()
	gone      func()
	numbers   uint64
	calls     map[uint64]*call // under way, by their numbers
}

// call is a question that waits for its answer.
type call struct {
	letter   *letter
	answered func(bus.Reply, error)
}

// boot starts the process, and connects.
func (c *client) boot() {
	c.start()
	c.conn, c.calls = nil, map[uint64]*call{}
	c.dial()
}

// kill ends it. The queue sees at once that the connection is closed, unless
// the network is cut.
func (c *client) kill() {
	if !c.up {
		return
	}
	c.sim.logf("%s is killed", c.name)
	old := c.conn
	c.end()
	c.conn = nil
	if old != nil {
		old.clientOpen = false
		old.toQueue(old.closeQueue)
	}
}

// dial connects, as soon as that is possible.
func (c *client) dial() {
	c.when(c.sim.transit()*2, func() {
		s := c.sim
		if c.conn != nil {
			return
		}
		if !s.broker.up || s.net.isCut(c.name, queueName) || s.net.isCut(queueName, c.name) {
			c.when(redialEvery, c.dial)
			return
		}
		c.conn = &conn{
			sim: s, client: c, life: c.life, clientOpen: true, queueOpen: true, clientHeard: s.now, queueHeard: s.now,
			up: pipe{sim: s, from: c.name, to: queueName}, down: pipe{sim: s, from: queueName, to: c.name},
		}
		s.conns = append(s.conns, c.conn)
		c.connected()
	})
}

// disconnected is a connection that was lost.
func (c *client) disconnected() {
	for _, n := range sortedKeys(c.calls) {
		c.finishCall(n, bus.Reply{}, bus.ErrDisconnected)
	}
	if c.gone != nil {
		c.gone()
	}
	c.dial()
}

// finishCall ends a call, if it is under way.
func (c *client) finishCall(number uint64, reply bus.Reply, err error) {
	if waiting := c.calls[number]; waiting != nil {
		delete(c.calls, number)
		waiting.answered(reply, err)
	}
}

// ask calls the cluster's manager. answered is called once.
func (c *client) ask(method string, args []any, limit time.Duration, answered func(bus.Reply, error)) {
	l := &letter{method: method, args: encode(args), wanted: true, sent: c.sim.now, known: c.sim.now, from: c.name}
	c.numbers++
	l.number = c.numbers
	if c.conn == nil {
		c.when(0, func() { answered(bus.Reply{}, bus.ErrDisconnected) })
		return
	}
	c.calls[l.number] = &call{l, answered}
	l.back = c.conn
	conn := c.conn
	conn.toQueue(func() { c.sim.broker.publish(l) })
	c.when(limit, func() { c.finishCall(l.number, bus.Reply{}, errTimeout) })
}

// tell casts to it.
func (c *client) tell(method string, args []any) error {
	if c.conn == nil {
		return bus.ErrDisconnected
	}
	l := &letter{method: method, args: encode(args), sent: c.sim.now, from: c.name}
	c.conn.toQueue(func() { c.sim.broker.publish(l) })
	return nil
}

// receive is an answer that came back, perhaps too late, perhaps again.
func (c *client) receive(l *letter, reply bus.Reply, err error) {
	if err == nil {
		c.sim.truth.answered(l, reply)
	}
	c.finishCall(l.number, reply, err)
}

func encode(args []any) bus.Args {
	out := make(bus.Args, len(args))
	for i, a := range args {
		raw, err := json.Marshal(a)
		if err != nil {
			panic(fmt.Sprintf("an argument of the simulation has no JSON: %v", err))
		}
		out[i] = raw
	}
	return out
}

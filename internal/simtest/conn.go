package simtest

import (
	"slices"
	"time"
)

const (
	// queueSilence is how long either side of a connection to the queue waits
	// for a sign of life before it gives the connection up.
	queueSilence = time.Second
	// queueCheck is how often both sides look.
	queueCheck = 200 * time.Millisecond
	// redialEvery is how often a client tries to connect again.
	redialEvery = 50 * time.Millisecond
)

// conn is a connection of a process to the queue. What is sent on it arrives in
// order, or not at all once the receiver has given the connection up.
type conn struct {
	sim      *Sim
	client   *client
	life     int  // of the client's process
	up, down pipe // to the queue, to the client

	clientOpen, queueOpen   bool
	clientHeard, queueHeard time.Duration // each side heard the other last
}

// toQueue sends something up.
func (c *conn) toQueue(arrive func()) {
	c.up.send(func() {
		if c.queueOpen {
			arrive()
		}
	})
}

// toClient sends something down.
func (c *conn) toClient(arrive func()) {
	c.down.send(func() {
		c.client.do(c.life, func() {
			if c.clientOpen {
				arrive()
			}
		})
	})
}

// look is both sides looking whether the other is still there.
func (c *conn) look() {
	s := c.sim
	alive := c.client.runs() && c.client.life == c.life
	if alive && !s.net.isCut(c.up.from, c.up.to) {
		c.queueHeard = s.now
	}
	if !s.net.isCut(c.down.from, c.down.to) {
		c.clientHeard = s.now
	}
	if c.queueOpen && s.now-c.queueHeard >= queueSilence {
		s.logf("queue gives up the connection of %s", c.client.name)
		c.closeQueue()
	}
	if c.clientOpen && alive && s.now-c.clientHeard >= queueSilence {
		s.logf("%s gives up its connection to the queue", c.client.name)
		c.closeClient()
	}
}

// closeQueue is the queue's end: what it had delivered goes to others.
func (c *conn) closeQueue() {
	if c.queueOpen {
		c.queueOpen = false
		c.sim.broker.closed(c)
		c.toClient(c.closeClient)
	}
}

// closeClient is the client's end.
func (c *conn) closeClient() {
	if !c.clientOpen {
		return
	}
	c.clientOpen = false
	c.toQueue(c.closeQueue)
	if c.client.life == c.life && c.client.conn == c {
		c.client.conn = nil
		c.client.disconnected()
	}
}

// lookAtConns is every connection looked at, for ever.
func (s *Sim) lookAtConns() {
	for _, c := range slices.Clone(s.conns) {
		c.look()
	}
	s.conns = slices.DeleteFunc(s.conns, func(c *conn) bool { return !c.clientOpen && !c.queueOpen })
	s.after(queueCheck, s.lookAtConns)
}

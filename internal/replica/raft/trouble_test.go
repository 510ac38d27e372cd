package raft

import (
	"flag"
	"fmt"
	"testing"

	"github.com/muster-fleet/muster/internal/replica"
)

// trouble injects one random fault.
func (c *cluster) trouble() {
	n := c.node()
	switch c.rng.IntN(13) {
	case 0, 1:
		a, b := c.node().addr, c.node().addr
		c.logf("cut %s to %s", a, b)
		c.cut[[2]string{a, b}] = true
	case 2:
		for _, other := range c.peers {
			c.cut[[2]string{n.addr, other}] = true
			c.cut[[2]string{other, n.addr}] = true
		}
		c.logf("cut off %s", n.addr)
	case 3, 4, 5:
		clear(c.cut)
		c.logf("heal")
	case 6, 7:
		c.restart(n)
	case 8:
		if !n.down {
			c.logf("%s hears that %s is gone", n.addr, n.core.leader())
			n.core.PeerGone(n.core.leader())
			c.collect(n)
		}
	case 9:
		if !n.down {
			n.core.Transfer()
			c.collect(n)
		}
	case 10:
		c.backUp(n)
	case 11, 12:
		c.restoreOld(n)
	}
}

// restart crashes a manager, or starts it again. One without a disk may only
// be lost while all the others have their logs: it counts as one fault until
// it is a voter again.
func (c *cluster) restart(n *simNode) {
	switch {
	case n.down:
		c.logf("boot %s", n.addr)
		c.boot(n.addr, c.peers)
	case c.undecided() != nil: // an older copy and a crash are two faults
	case c.durable || len(c.peers) > 1 && c.whole():
		c.crash(n)
	}
}

// whole reports whether all managers are up and voters, and know it.
func (c *cluster) whole() bool {
	for _, n := range c.nodes {
		if n.down || n.core.rn == nil {
			return false
		}
		for _, other := range c.nodes {
			if other.down || !isVoter(n.core.conf, other.core.id) || len(n.core.conf.GetVoters()) != len(c.peers) || len(n.core.conf.GetVotersOutgoing()) > 0 {
				return false
			}
		}
	}
	return true
}

// settle ends all faults and waits until all managers agree.
func (c *cluster) settle() {
	clear(c.cut)
	c.calm, c.lose = true, nil
	for _, addr := range c.peers {
		if c.nodes[addr].down {
			c.boot(addr, c.peers)
		}
	}
	for range 4000 {
		c.round()
		if c.agreed() {
			return
		}
	}
	for _, addr := range c.peers {
		c.t.Logf("%s: %+v", addr, c.nodes[addr].core.Status())
	}
	c.failf("no agreement after the faults ended")
}

// round ticks every manager once, and then does everything that follows.
func (c *cluster) round() {
	for _, addr := range c.peers {
		if n := c.nodes[addr]; !n.down {
			n.core.Tick()
			c.collect(n)
		}
	}
	c.quiesce()
}

// quiesce does everything that needs no further tick.
func (c *cluster) quiesce() {
	for busy := true; busy; {
		busy = len(c.flights) > 0
		c.deliver()
		for _, addr := range c.peers {
			n := c.nodes[addr]
			if n.down {
				continue
			}
			busy = busy || len(n.commits) > 0 || len(n.writes) > 0 && !n.slow || len(n.jobs) > 0
			c.work(n)
		}
	}
}

func (c *cluster) agreed() bool {
	index, leaders := c.nodes[c.peers[0]].applier.Index(), 0
	for _, n := range c.nodes {
		if n.applier.Role().Kind == replica.Leader {
			leaders++
		}
		if n.applier.Index() != index {
			return false
		}
	}
	return leaders == 1 && c.whole()
}

func runSim(t testing.TB, seed uint64, durable bool, n, steps int) *cluster {
	c := newCluster(t, seed, durable, n)
	for i := range steps {
		c.step()
		if i%97 == 0 && c.rng.IntN(3) == 0 {
			c.trouble()
		}
	}
	c.settle()
	for _, n := range c.nodes {
		c.checkAcked(n.applier.State(), c.acked, n.addr)
	}
	return c
}

// seeds is how many simulations there are, each of a cluster of one kind.
var seeds = flag.Uint64("seeds", 120, "how many seeds are simulated")

func TestSimulation(t *testing.T) {
	sizes := []int{1, 3, 5}
	for kind := range uint64(2 * len(sizes)) {
		durable, n := kind%2 == 1, sizes[kind/2]
		t.Run(fmt.Sprintf("durable=%v/managers=%d", durable, n), func(t *testing.T) {
			acked, refused := 0, 0
			for seed := kind; seed < *seeds; seed += uint64(2 * len(sizes)) {
				c := runSim(t, seed, durable, n, 15000)
				acked += len(c.acked)
				refused += c.refused
			}
			t.Logf("%d answered placements, %d older copies refused", acked, refused)
			if acked == 0 && *seeds > kind {
				t.Error("nothing was ever answered")
			}
		})
	}
}

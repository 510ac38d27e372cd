package raft

import (
	"strings"
	"testing"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// TestLoneLeaderReadsWhatWasAnswered: a manager that votes alone and starts
// again remembers its entries, but not always that they were decided. (Found
// by the simulation: the library answers reads of a lone leader too early.)
func TestLoneLeaderReadsWhatWasAnswered(t *testing.T) {
	c := newCluster(t, 1, true, 1)
	c.calm = true
	n := c.nodes["m0"]
	for n.applier.Role().Kind != replica.Leader {
		c.round()
	}
	for range 20 {
		c.propose(n)
	}
	for len(c.acked) == 0 { // its entries are on the disk, that they are decided is not
		switch {
		case len(n.commits) > 0:
			c.own(n)
		default:
			n.core.Wrote(c.save(n))
			c.collect(n)
		}
	}
	n.writes = nil
	c.boot("m0", c.peers)
	for n.applier.Role().Kind != replica.Leader {
		if n.core.elected() {
			c.read(n)
		}
		n.core.Tick()
		c.collect(n)
		for len(n.commits) > 0 {
			c.own(n)
		}
		if len(n.writes) > 0 {
			n.core.Wrote(c.save(n))
			c.collect(n)
		}
	}
}

// TestFoundedApart: three of five managers are up and create a cluster, but only
// two of them join it. That is no majority of the five, because the other three
// could create another cluster.
func TestFoundedApart(t *testing.T) {
	c := newCluster(t, 1, true, 5)
	c.calm = true
	c.nodes["m3"].down, c.nodes["m4"].down = true, true
	for c.nodes["m0"].core.rn == nil { // m0 creates it, and only m1 learns of it
		c.round()
		c.cutBootstrap("m2")
	}
	for range 100 {
		c.cutBootstrap("m2")
		c.round()
		for _, addr := range []string{"m0", "m1"} {
			if c.nodes[addr].applier.Role().Kind == replica.Leader {
				t.Fatalf("%s leads with two of five managers", addr)
			}
		}
	}
	c.settle()
}

// cutBootstrap loses what a manager is sent of the beginning of a cluster.
func (c *cluster) cutBootstrap(addr string) {
	c.lose = func(f flight) bool { return f.to == addr && f.message.bootstrap != nil }
}

// TestSilentLeaderIsReplaced counts the ticks without a leader.
func TestSilentLeaderIsReplaced(t *testing.T) {
	c := newCluster(t, 3, false, 3)
	c.calm = true
	lead := c.lead()
	for _, other := range c.peers {
		c.cut[[2]string{lead.addr, other}], c.cut[[2]string{other, lead.addr}] = true, true
	}
	ticks := 0
	for next := lead; next == lead; ticks++ {
		c.round()
		for _, n := range c.nodes {
			if n != lead && n.applier.Role().Kind == replica.Leader {
				next = n
			}
		}
	}
	if most := 2*10 + 2; ticks > most { // twice the election time-out, and the votes
		t.Errorf("%d ticks without a leader, want at most %d", ticks, most)
	}
	for range 11 {
		c.round()
	}
	if kind := lead.applier.Role().Kind; kind == replica.Leader {
		t.Error("a leader that is cut off still leads")
	}
}

// TestDeadLeaderIsReplacedWithoutATick: when all see that it is gone.
func TestDeadLeaderIsReplacedWithoutATick(t *testing.T) {
	for seed := range uint64(60) {
		c := newCluster(t, seed, false, 3)
		c.calm = true
		lead := c.lead()
		if seed%2 == 1 { // one of the others has more than the other
			behind := c.peers[seed/2%3]
			c.cut[[2]string{lead.addr, behind}] = behind != lead.addr
			c.propose(lead)
			c.quiesce()
			clear(c.cut)
		}
		lead.down = true
		for i := range c.peers {
			n := c.nodes[c.peers[(i+int(seed))%3]]
			if n == lead {
				continue
			}
			n.core.PeerGone(lead.addr)
			c.collect(n)
			if seed%4 > 1 { // they do not see it at the same time
				c.quiesce()
			}
		}
		c.quiesce()
		if c.now() == nil {
			t.Fatalf("seed %d: no leader though all know that the old one is gone: %s", seed, strings.Join(c.history, "; "))
		}
	}
}

// TestLateMessagesOfADeadLeader: they arrive after the others saw that it is gone.
func TestLateMessagesOfADeadLeader(t *testing.T) {
	for seed := range uint64(20) {
		c := newCluster(t, seed, false, 3)
		c.calm = true
		lead := c.lead()
		c.propose(lead) // on its way
		lead.down = true
		for _, addr := range c.peers {
			if n := c.nodes[addr]; n != lead {
				n.core.PeerGone(lead.addr)
				c.collect(n)
			}
		}
		c.quiesce()
		if c.now() == nil {
			t.Fatalf("seed %d: late messages of a dead leader kept the others from voting", seed)
		}
	}
}

// TestWrongReportKeepsTheLeader: one follower thinks that the leader is gone.
func TestWrongReportKeepsTheLeader(t *testing.T) {
	for seed := range uint64(20) {
		c := newCluster(t, seed, false, 3)
		c.calm = true
		lead := c.lead()
		term := lead.applier.Role().Term
		wrong := c.nodes[c.peers[0]]
		if wrong == lead {
			wrong = c.nodes[c.peers[1]]
		}
		wrong.core.PeerGone(lead.addr)
		c.collect(wrong)
		for range 50 {
			c.round()
		}
		if role := lead.applier.Role(); role.Kind != replica.Leader || role.Term != term {
			t.Fatalf("seed %d: the leader was unseated: %+v", seed, role)
		}
	}
}

// TestMembersStayActive: who answers each heartbeat is active at any time, in the
// ticks after a quorum check as well; who is cut off is not for long.
func TestMembersStayActive(t *testing.T) {
	c := newCluster(t, 1, false, 3)
	c.calm = true
	lead := c.lead()
	c.rounds(10)
	silent := func() (addrs []string) {
		for _, m := range lead.core.Status().Members {
			if !m.Active {
				addrs = append(addrs, m.Addr)
			}
		}
		return addrs
	}
	for range 50 {
		lead.core.Tick() // the answers to its heartbeat are on their way
		if s := silent(); s != nil {
			t.Fatalf("silent: %v", s)
		}
		c.collect(lead)
		c.quiesce()
	}
	for _, other := range c.peers {
		if other != lead.addr {
			c.cutOff(c.nodes[other])
			break
		}
	}
	c.rounds(3 * 10)
	if s := silent(); len(s) != 1 {
		t.Errorf("one member is cut off, and silent: %v", s)
	}
}

// lead waits for a leader that all follow.
func (c *cluster) lead() *simNode {
	for range 1000 {
		c.round()
		if c.agreed() {
			return c.now()
		}
	}
	c.failf("no leader")
	return nil
}

// now returns the current leader, nil if there is none.
func (c *cluster) now() *simNode {
	for _, addr := range c.peers {
		if n := c.nodes[addr]; !n.down && n.applier.Role().Kind == replica.Leader {
			return n
		}
	}
	return nil
}

// TestSameSeedSameHistory: every message of two runs is the same.
func TestSameSeedSameHistory(t *testing.T) {
	for _, durable := range []bool{false, true} {
		run := func() (string, uint64) {
			c := runSim(t, 5, durable, 3, 6000)
			return strings.Join(c.history, "\n"), c.trace
		}
		history1, trace1 := run()
		history2, trace2 := run()
		if history1 != history2 || trace1 != trace2 {
			t.Errorf("durable=%v: the same seed, and another history (%x, %x)", durable, trace1, trace2)
		}
	}
}

// TestReadWhoseEntryDoesNotComeFails: a follower knows which entry a read waits for,
// and loses its leader before it gets that entry. (Found by the simulation, seed 9471:
// the read, and with it its caller, waited as long as there was no leader.)
func TestReadWhoseEntryDoesNotComeFails(t *testing.T) {
	c := newCluster(t, 1, true, 3)
	c.calm = true
	follower := func() *simNode {
		for _, n := range c.nodes {
			if n.applier.Role().Kind == replica.Follower && n.core.rn != nil {
				return n
			}
		}
		return nil
	}
	for follower() == nil {
		c.round()
	}
	n := follower()
	n.core.Read(func(*state.State, error) {})
	n.core.reads.index = n.core.applied + 1
	for range 4 * n.core.cfg.ElectionTicks {
		n.core.Tick()
	}
	c.collect(n)
	for _, commit := range n.commits {
		if len(commit.reads) == 1 && commit.err != nil {
			return
		}
	}
	t.Error("the read waits for ever")
}

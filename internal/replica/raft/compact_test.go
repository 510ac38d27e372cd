package raft

import "testing"

// Without a disk there is no snapshot until a member needs one, though the log is
// compacted. The one that is made lets a newcomer join, and is let go then.
func TestSnapshotWhenNeeded(t *testing.T) {
	c := newCluster(t, 3, false, 3)
	c.calm = true
	lead := c.lead()
	c.join(lead)
	grow := func() {
		for first := lead.core.store.snapIndex(); lead.core.store.snapIndex() == first; {
			c.propose(lead)
			c.quiesce()
		}
	}
	snapshots := func() (n int) {
		for _, n2 := range c.nodes {
			if len(n2.core.store.snap.GetData()) > 0 {
				n++
			}
		}
		return n
	}
	grow()
	grow()
	if n := snapshots(); n != 0 {
		t.Errorf("%d managers have a snapshot that none needs", n)
	}
	for _, addr := range c.peers {
		if addr != lead.addr {
			c.crash(c.nodes[addr])
			c.restart(c.nodes[addr])
			break
		}
	}
	if lead = c.lead(); len(lead.core.store.snap.GetData()) == 0 {
		t.Error("a manager without a log joined without a snapshot")
	}
	c.settle()
	grow()
	if len(lead.core.store.snap.GetData()) != 0 {
		t.Error("the snapshot stays after the newcomer has it")
	}
}

package raft

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// backUp copies the disk of a manager.
func (c *cluster) backUp(n *simNode) {
	if c.durable && n.disk != nil && n.latest == nil {
		c.logf("back up %s", n.addr)
		n.backup = copyOf(n.disk)
		for _, other := range c.nodes {
			if other != n {
				other.backup = nil // one older copy at a time
			}
		}
	}
}

func copyOf(s *Saved) *Saved {
	out := *s
	out.Entries, out.Acks = slices.Clone(s.Entries), maps.Clone(s.Acks)
	return &out
}

// putBack makes an older copy the disk of a manager.
func (n *simNode) putBack(saved *Saved) {
	n.disk, n.log = copyOf(saved), newMemLog()
	if saved.Snapshot != nil {
		n.log.install(saved.Snapshot)
	}
	n.log.append(saved.Entries)
}

// restoreOld kills a manager and starts it from an older copy of its disk,
// while the others are there and have been since the copy was made.
func (c *cluster) restoreOld(n *simNode) {
	if n.backup == nil || n.down || len(c.peers) == 1 || c.undecided() != nil || !c.whole() {
		return
	}
	c.crash(n)
	c.logf("put an older copy back on %s", n.addr)
	n.latest = copyOf(n.disk)
	n.putBack(n.backup)
	n.backup = nil
	c.boot(n.addr, c.peers)
}

// undecided is the manager whose older copy is not judged yet, nil if none.
func (c *cluster) undecided() *simNode {
	for _, n := range c.nodes {
		if n.latest == nil {
			continue
		}
		if n.core.check == nil && n.core.Err() == nil { // it had everything
			n.latest = nil
			continue
		}
		return n
	}
	return nil
}

// patience is how long a manager waits for the others: one with an older copy
// until all have answered.
func (c *cluster) patience(n *simNode) int {
	if n.latest != nil {
		return math.MaxInt
	}
	return 0
}

// onRefused lets the operator act on the refusal: put the latest directory back
// or empty it.
func (c *cluster) onRefused(n *simNode) {
	c.refused++
	c.logf("%s is refused: %v", n.addr, n.core.Err())
	if c.stay {
		n.down = true
		return
	}
	if c.rng.IntN(2) == 0 {
		n.putBack(n.latest)
	} else {
		n.disk, n.log = nil, nil
	}
	n.latest = nil
	c.boot(n.addr, c.peers)
}

// stale prepares what an older copy can do harm with: m0 leads, a placement is
// on it and on one other manager only, and that one is started from a copy of
// before. It returns the manager with the copy.
func stale(c *cluster) (lead, copied, behind *simNode) {
	c.calm = true
	lead = c.lead()
	for _, addr := range c.peers {
		switch n := c.nodes[addr]; {
		case n == lead:
		case copied == nil:
			copied = n
		default:
			behind = n
		}
	}
	c.join(lead)
	c.rounds(5)
	c.cutOff(behind)
	old := copyOf(copied.disk)
	before := len(c.acked)
	for len(c.acked) == before {
		c.propose(lead)
		c.rounds(5)
	}
	c.crash(copied)
	copied.latest = copyOf(copied.disk)
	copied.putBack(old)
	return lead, copied, behind
}

// join lets the cluster have a worker.
func (c *cluster) join(lead *simNode) {
	for len(c.acked) == 0 {
		c.propose(lead)
		c.quiesce()
	}
}

func (c *cluster) rounds(n int) {
	for range n {
		c.round()
	}
}

func (c *cluster) cutOff(n *simNode) {
	for _, other := range c.peers {
		c.cut[[2]string{n.addr, other}], c.cut[[2]string{other, n.addr}] = true, true
	}
}

// TestOlderCopyIsRefused: the leader knows what the manager acknowledged.
func TestOlderCopyIsRefused(t *testing.T) {
	for seed := range uint64(30) {
		c := newCluster(t, seed, true, 3)
		lead, copied, behind := stale(c)
		restarted := seed%2 == 1
		if restarted { // what it knows is on its disk
			for len(lead.writes) > 0 {
				lead.core.Wrote(c.save(lead))
			}
			c.boot(lead.addr, c.peers)
		}
		c.boot(copied.addr, c.peers)
		clear(c.cut)
		for c.refused == 0 && len(c.history) < 1000 {
			c.round()
		}
		if c.refused != 1 {
			t.Fatalf("seed %d: the older copy was not refused", seed)
		}
		c.crash(lead)
		behind.core.PeerGone(lead.addr)
		c.collect(behind)
		c.settle()
		for _, n := range c.nodes {
			c.checkAcked(n.applier.State(), c.acked, n.addr)
		}
	}
}

// TestSlowDiskIsNoOlderCopy: a leader is elected by the others before its own disk
// has the term. Killed then, it starts again: no one may count on what it never had.
func TestSlowDiskIsNoOlderCopy(t *testing.T) {
	elected := 0
	for seed := range uint64(30) {
		c := newCluster(t, seed, true, 5)
		old := c.lead()
		c.rounds(5)
		c.crash(old)
		slow := c.nodes[c.peers[seed%5]]
		if slow == old {
			continue
		}
		slow.slow = true
		for _, addr := range c.peers {
			if n := c.nodes[addr]; n != old {
				n.core.PeerGone(old.addr)
				c.collect(n)
			}
		}
		for n := 0; n < 60 && !slow.core.elected(); n++ {
			c.round()
		}
		if !slow.core.elected() {
			continue
		}
		elected++
		c.rounds(2 * slow.core.cfg.HeartbeatTicks)
		slow.writes, slow.slow = nil, false
		c.crash(slow)
		c.boot(slow.addr, c.peers)
		for slow.core.check != nil && len(c.history) < 2000 {
			c.round() // fails if it is refused
		}
		if slow.core.check != nil {
			t.Errorf("seed %d: it does not start", seed)
		}
	}
	if elected == 0 {
		t.Error("no manager with a slow disk was elected")
	}
}

// TestOlderCopyWithoutTheCheck is what the check is for: without it, a
// placement that was answered is lost.
func TestOlderCopyWithoutTheCheck(t *testing.T) {
	c := newCluster(t, 1, true, 3)
	lead, copied, _ := stale(c)
	c.crash(lead)
	clear(c.cut)
	clear(c.states) // others take the place of the lost entries
	c.boot(copied.addr, c.peers)
	copied.core.check, copied.latest = nil, nil
	copied.core.begin()
	copied.core.pump()
	c.collect(copied)
	lost := false
	for range 200 {
		c.roundUnchecked()
		if n := c.now(); n != nil && n != lead {
			for task := range c.acked {
				_, err := n.applier.State().Scheduled("webrtc", task)
				lost = lost || err != nil
			}
		}
	}
	if !lost {
		t.Error("nothing is lost without the check: this test does not test it")
	}
}

// roundUnchecked is a round in which the owners do not look for what was lost.
func (c *cluster) roundUnchecked() {
	acked := c.acked
	c.acked = map[string]string{}
	c.round()
	c.acked = acked
}

// TestAllAreRestored: managers that start from copies of different times continue
// from there with Restored, and only then.
func TestAllAreRestored(t *testing.T) {
	for _, restored := range []bool{false, true} {
		c := newCluster(t, 1, true, 3)
		c.calm, c.stay = true, true
		lead := c.lead()
		c.join(lead)
		for _, addr := range c.peers {
			c.rounds(5)
			c.nodes[addr].backup = copyOf(c.nodes[addr].disk)
			c.propose(lead)
		}
		c.rounds(5)
		for _, addr := range c.peers {
			n := c.nodes[addr]
			n.down, n.latest = true, n.disk
			n.putBack(n.backup)
		}
		// What was answered after the copies is lost, and other entries take its place.
		c.flights, c.acked, c.restored = nil, map[string]string{}, restored
		clear(c.states)
		clear(c.leaders)
		for _, addr := range c.peers {
			c.boot(addr, c.peers)
		}
		c.rounds(100)
		if leads := c.now() != nil; leads != restored || restored != (c.refused == 0) {
			t.Errorf("restored=%v: leads=%v, %d refused", restored, leads, c.refused)
		}
	}
}

func TestStaleLogSaysWhatToDo(t *testing.T) {
	err := error(&staleLog{addr: "a:1", by: "b:1", why: "it had reached term 7, and this is of term 3"})
	for _, part := range []string{"a:1", "b:1", "term 7", "empty", "--restored"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
}

// TestOlderDirectoryIsRefused: managers with directories and connections. One of
// them is started from an older copy of its directory, then emptied.
func TestOlderDirectoryIsRefused(t *testing.T) {
	dirs := map[string]string{}
	f := newFleet(t, 3, func(o *Options) {
		if dirs[o.Addr] == "" {
			dirs[o.Addr] = t.TempDir()
		}
		o.Dir = dirs[o.Addr]
	})
	f.join("w1")
	f.voters(3)
	copied := f.followers()[0]
	addr := copied.opts.Addr
	f.kill(copied)
	old := t.TempDir()
	if err := os.CopyFS(old, os.DirFS(dirs[addr])); err != nil {
		t.Fatal(err)
	}
	copied = f.start(addr, f.addrs)
	f.schedule("room")
	f.equal()
	f.acknowledged(addr)
	f.kill(copied)

	dirs[addr] = old
	refused := f.start(addr, f.addrs)
	select {
	case <-refused.Done():
	case <-time.After(testTime):
		t.Fatal("an older copy was not refused")
	}
	if err := refused.Err(); !errors.Is(err, ErrStaleLog) {
		t.Fatalf("started from an older copy: %v", err)
	}
	f.kill(refused)

	dirs[addr] = t.TempDir()
	f.start(addr, f.addrs)
	f.voters(3)
	f.equal()
}

// acknowledged returns when the leader knows that the member has all that is
// decided now. What was not known to be acknowledged may be missing in a copy.
func (f *fleet) acknowledged(addr string) {
	f.t.Helper()
	var all uint64
	lead := f.leader()
	lead.do(func() { all = lead.Index() })
	for i := 0; f.match(addr) < all; i++ {
		f.schedule(fmt.Sprintf("another-%d", i)) // each takes a round trip
	}
}

// match is the last entry that the leader knows the member to have.
func (f *fleet) match(addr string) uint64 {
	f.t.Helper()
	s, err := f.leader().Status(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, m := range s.Members {
		if m.Addr == addr {
			return m.Match
		}
	}
	return 0
}

// TestAcksOnDisk: what is known of the others survives restarts and new files.
func TestAcksOnDisk(t *testing.T) {
	dir := t.TempDir()
	w := mustOpen(t, dir)
	acks := map[uint64]ackRecord{8: {Term: 3, Vote: 7, Match: 20, MatchTerm: 2}}
	mustAppend(t, w, testIdentity, Write{Acks: acks}, Write{Entries: []*pb.Entry{testEntry(1, 2, "a")}})
	for _, write := range []Write{{Hard: testHard(2, 0, 2)}, {Snapshot: testSnapshot(1, 2, "b")}} {
		mustAppend(t, w, write)
		mustClose(t, w)
		w = mustOpen(t, dir)
		if got := w.saved().Acks; !maps.Equal(got, acks) {
			t.Errorf("after %+v: %v, want %v", write, got, acks)
		}
	}
	mustAppend(t, w, testIdentity)
	if got := w.saved().Acks; len(got) > 0 {
		t.Errorf("a new log has acknowledgements of others: %v", got)
	}
	mustClose(t, w)
}

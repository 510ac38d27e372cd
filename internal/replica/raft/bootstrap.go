package raft

import (
	"maps"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/state"
)

// bootstrap is how managers that belong to no cluster find or found one.
//
//	alone ──hello──▶ somebody has a leader ──join──▶ fed by it ──▶ member
//	  │
//	  └─ all peers are alone (or, after a while, a majority is) ──▶ the one with
//	     the lowest address writes the beginning of the log and gives it to all
type bootstrap struct {
	alone    int    // ticks of this incarnation without a cluster
	leading  int    // tick at which a leader was known last
	nonce    uint64 // proves that an answer is not older than the members are
	starting bool   // the first write is under way
	creator  bool
	seen     map[string]sighting
	lost     map[uint64]bool // members whose log is known to be lost
}

// sighting is what a peer said last.
type sighting struct {
	id, clusterID uint64
	leader        string
	label         string
	tick          int
}

// bootstrapTick lets a tick pass for one who belongs to no cluster.
func (c *Core) bootstrapTick() {
	f := &c.bootstrap
	if f.starting {
		return
	}
	if f.alone%2 == 0 {
		c.sendHello()
	}
	f.alone++
	c.askIn()
	if c.mayCreate() {
		c.create()
	}
}

// sendHello asks all peers who they are.
func (c *Core) sendHello() {
	for _, addr := range c.others() {
		c.post(addr, Message{hello: &hello{id: c.id, leader: c.leader(), label: c.cfg.Label, nonce: c.bootstrap.nonce}})
	}
}

// others are the addresses of all managers that this one knows of.
func (c *Core) others() []string {
	all := slices.Concat(c.cfg.Peers, c.roster.admitted)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(addr string) bool { return addr == c.cfg.Addr })
}

// probeTick asks the others from time to time, as long as nobody leads: they
// may have lost their logs, or belong to another cluster by now.
func (c *Core) probeTick() {
	if c.leader() != "" {
		c.bootstrap.leading = c.now
	}
	if quiet := c.now - c.bootstrap.leading; quiet > 0 && quiet%c.cfg.ElectionTicks == 0 {
		c.sendHello()
	}
	if c.elected() && c.now%c.cfg.ElectionTicks == 0 {
		c.askNames()
	}
}

// askNames lets members say who they are that never did so here: they may have
// formed the cluster without this leader. Their answers count for nothing else.
func (c *Core) askNames() {
	for _, id := range slices.Sorted(maps.Keys(c.roster.addrs)) {
		if addr := c.roster.addrs[id]; id != c.id && c.bootstrap.seen[addr].id != id {
			c.post(addr, Message{hello: &hello{id: c.id, leader: c.leader(), label: c.cfg.Label}})
		}
	}
}

// onHello answers, and notes who is where.
func (c *Core) onHello(m Message) {
	h := m.hello
	c.bootstrap.seen[m.From] = sighting{id: h.id, clusterID: m.ClusterID, leader: h.leader, label: h.label, tick: c.now}
	if !h.reply {
		c.post(m.From, Message{hello: &hello{
			id: c.id, leader: c.leader(), label: c.cfg.Label, nonce: h.nonce, reply: true, known: c.acks.records[h.id],
		}})
		c.sendInitial(m)
		return
	}
	switch {
	case h.nonce != c.bootstrap.nonce:
	case c.check != nil:
		c.onCheck(m)
	case c.rn != nil:
		c.countLost(m)
	}
}

// recent returns the peers that said something lately.
func (c *Core) recent() map[string]sighting {
	out := map[string]sighting{}
	for addr, s := range c.bootstrap.seen {
		if c.now-s.tick <= 2*c.cfg.ElectionTicks {
			out[addr] = s
		}
	}
	return out
}

// askIn asks a leader that somebody knows to be let in.
func (c *Core) askIn() {
	if c.bootstrap.alone%4 != 0 {
		return
	}
	var leaders []string
	for _, s := range c.recent() {
		if s.clusterID != 0 && s.leader != "" {
			leaders = append(leaders, s.leader)
		}
	}
	slices.Sort(leaders)
	for _, addr := range slices.Compact(leaders) {
		c.post(addr, Message{join: &join{id: c.id}})
	}
}

// mayCreate reports whether this manager is the one to found the cluster: all
// peers are alone, or, since some may be away, a majority was for a while.
func (c *Core) mayCreate() bool {
	if !slices.Contains(c.cfg.Peers, c.cfg.Addr) {
		return false
	}
	alone, away := 1, 0
	recent := c.recent()
	for _, addr := range c.cfg.Peers {
		s, ok := recent[addr]
		switch {
		case addr == c.cfg.Addr:
		case !ok:
			away++
		case s.clusterID != 0 && s.leader != "":
			return false
		case s.clusterID == 0 && addr < c.cfg.Addr:
			return false // its turn
		case s.clusterID == 0:
			alone++
		}
	}
	if alone == len(c.cfg.Peers) {
		return true
	}
	return c.bootstrap.alone >= 10*c.cfg.ElectionTicks && alone > len(c.cfg.Peers)/2
}

// create writes the beginning of a cluster: an entry 1 that says who belongs to
// it, as a snapshot. A peer that is away has a vote too, under an id that is
// nobody's, until it joins: a majority is always one of all peers, so that two
// majorities of them that begin apart cannot both come to be.
func (c *Core) create() {
	conf := &pb.ConfState{}
	r := roster{clusterID: c.rng.Uint64() | 1, admitted: c.cfg.Peers, addrs: map[uint64]string{}}
	recent := c.recent()
	for _, addr := range c.cfg.Peers {
		id := newID(c.rng)
		if s, ok := recent[addr]; ok && s.clusterID == 0 {
			id = s.id
		} else if addr == c.cfg.Addr {
			id = c.id
		}
		r.addrs[id] = addr
		conf.Voters = append(conf.Voters, id)
	}
	slices.Sort(conf.Voters)
	c.bootstrap.creator = true
	c.start(r.clusterID, &pb.Snapshot{
		Data:     snapshotData(&r, state.New(c.cfg.Placement).Snapshot()),
		Metadata: &pb.SnapshotMetadata{ConfState: conf, Index: proto.Uint64(1), Term: proto.Uint64(1)},
	})
}

// start begins with a beginning, which may be nil for one who is fed.
func (c *Core) start(clusterID uint64, beginning *pb.Snapshot) {
	c.bootstrap.starting = true
	c.roster.clusterID = clusterID
	w := Write{Identity: &Identity{ID: c.id, ClusterID: clusterID, Addr: c.cfg.Addr}, Sync: true, start: true}
	if beginning != nil {
		w.Snapshot, w.Install = beginning, true
		w.Hard = &pb.HardState{Term: proto.Uint64(1), Vote: proto.Uint64(0), Commit: proto.Uint64(1)}
	}
	c.queue(w)
}

// started goes on after the first write.
func (c *Core) started() {
	c.bootstrap.starting = false
	if !c.bootstrap.creator {
		return
	}
	for _, id := range c.conf.GetVoters() {
		if id != c.id {
			c.post(c.roster.addrs[id], Message{bootstrap: c.store.snap})
		}
	}
	c.startFastElection(0)
}

// onBootstrap takes part in a cluster that another one founded: once in the incarnation of
// a log.
func (c *Core) onBootstrap(m Message) {
	if c.rn != nil || c.check != nil || c.bootstrap.starting || m.ClusterID == 0 || !isVoter(m.bootstrap.GetMetadata().GetConfState(), c.id) {
		return
	}
	if r, _, err := openSnapshot(m.bootstrap.GetData()); err != nil || r.clusterID != m.ClusterID {
		c.log.Error("beginning of a cluster refused", "from", m.From, "err", err)
		return
	}
	c.start(m.ClusterID, m.bootstrap)
}

// sendInitial gives the beginning to a member that has not got it yet.
func (c *Core) sendInitial(m Message) {
	if c.rn != nil && m.ClusterID == 0 && c.store.snapIndex() == 1 && isVoter(c.conf, m.hello.id) {
		c.post(m.From, Message{bootstrap: c.store.snap})
	}
}

// follow begins to follow the leader that lets this manager in. It has no
// beginning yet; the leader sends a snapshot.
func (c *Core) follow(m Message) {
	switch m.raft.GetType() {
	case pb.MsgApp, pb.MsgHeartbeat, pb.MsgSnap:
		if !c.bootstrap.starting {
			c.start(m.ClusterID, nil)
		}
	}
}

// countLost notes that a member's log is lost: at its address is another incarnation,
// or it is in another cluster. The answer is not older than the members are,
// by its nonce, so that it cannot be of an incarnation before.
func (c *Core) countLost(m Message) {
	for _, id := range c.roster.at(m.From) {
		if id != m.hello.id || m.ClusterID != 0 && m.ClusterID != c.roster.clusterID {
			c.bootstrap.lost[id] = true
		}
	}
	if c.quorumLost(c.conf.GetVoters()) || c.quorumLost(c.conf.GetVotersOutgoing()) {
		c.startOver()
	}
}

// quorumLost reports whether no majority of these can ever be again.
func (c *Core) quorumLost(voters []uint64) bool {
	lost := 0
	for _, id := range voters {
		if c.bootstrap.lost[id] {
			lost++
		}
	}
	return len(voters) > 0 && len(voters)-lost <= len(voters)/2
}

// startOver begins anew when a majority has lost its logs. What is on a disk is
// not thrown away for that: somebody may want to save it.
func (c *Core) startOver() {
	if c.cfg.Durable && c.store.hard.GetCommit() > 1 {
		c.problem = "a majority of the managers lost its data, so that none can be elected: put their latest directories back, or start all managers " +
			"from copies with --restored, or empty the directory of this one too, to begin anew from what the workers report"
		c.log.Error(c.problem)
		return
	}
	c.log.Warn("a majority of the managers lost its log: beginning anew")
	c.lose()
	c.dropReads()
	c.out.Commits = append(c.out.Commits, Commit{state: state.New(c.cfg.Placement)})
	c.renew()
}

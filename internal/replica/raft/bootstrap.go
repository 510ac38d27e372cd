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
	core     *Core
	alone    int    // ticks of this incarnation without a cluster
	leading  int    // tick at which a leader was known last
	nonce    uint64 // proves that an answer is not older than the members are
	starting bool   // the first write is under way
	creator  bool
	seen     map[string]sighting
	lost     map[uint64]bool // members whose log is known to be lost
	problem  string          // for operators, see Status
}

// sighting is what a peer said last.
type sighting struct {
	id, clusterID uint64
	leader        string
	label         string
	tick          int
}

// bootstrapTick lets a tick pass for one who belongs to no cluster.
func (b *bootstrap) tick() {
	if b.starting {
		return
	}
	if b.alone%2 == 0 {
		b.sendHello()
	}
	b.alone++
	b.askIn()
	if b.mayCreate() {
		b.create()
	}
}

// sendHello asks all peers who they are.
func (b *bootstrap) sendHello() {
	for _, addr := range b.core.others() {
		b.core.post(addr, Message{hello: &hello{id: b.core.id, leader: b.core.leader(), label: b.core.cfg.Label, nonce: b.nonce}})
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
func (b *bootstrap) probe() {
	if b.core.leader() != "" {
		b.leading = b.core.now
	}
	if quiet := b.core.now - b.leading; quiet > 0 && quiet%b.core.cfg.ElectionTicks == 0 {
		b.sendHello()
	}
	if b.core.elected() && b.core.now%b.core.cfg.ElectionTicks == 0 {
		b.askNames()
	}
}

// askNames lets members say who they are that never did so here: they may have
// formed the cluster without this leader. Their answers count for nothing else.
func (b *bootstrap) askNames() {
	for _, id := range slices.Sorted(maps.Keys(b.core.roster.addrs)) {
		if addr := b.core.roster.addrs[id]; id != b.core.id && b.seen[addr].id != id {
			b.core.post(addr, Message{hello: &hello{id: b.core.id, leader: b.core.leader(), label: b.core.cfg.Label}})
		}
	}
}

// onHello answers, and notes who is where.
func (b *bootstrap) onHello(m Message) {
	h := m.hello
	b.seen[m.From] = sighting{id: h.id, clusterID: m.ClusterID, leader: h.leader, label: h.label, tick: b.core.now}
	if !h.reply {
		b.core.post(m.From, Message{hello: &hello{
			id: b.core.id, leader: b.core.leader(), label: b.core.cfg.Label, nonce: h.nonce, reply: true, known: b.core.acks.records[h.id],
		}})
		b.sendInitial(m)
		return
	}
	switch {
	case h.nonce != b.nonce:
	case b.core.check != nil:
		b.core.check.onAnswer(m)
	case b.core.rn != nil:
		b.countLost(m)
	}
}

// label is what a member says of itself.
func (b *bootstrap) label(id uint64) string {
	if id == b.core.id {
		return b.core.cfg.Label
	}
	if s := b.seen[b.core.roster.addrs[id]]; s.id == id {
		return s.label
	}
	return ""
}

// recent returns the peers that said something lately.
func (b *bootstrap) recent() map[string]sighting {
	out := map[string]sighting{}
	for addr, s := range b.seen {
		if b.core.now-s.tick <= 2*b.core.cfg.ElectionTicks {
			out[addr] = s
		}
	}
	return out
}

// askIn asks a leader that somebody knows to be let in.
func (b *bootstrap) askIn() {
	if b.alone%4 != 0 {
		return
	}
	var leaders []string
	for _, s := range b.recent() {
		if s.clusterID != 0 && s.leader != "" {
			leaders = append(leaders, s.leader)
		}
	}
	slices.Sort(leaders)
	for _, addr := range slices.Compact(leaders) {
		b.core.post(addr, Message{join: &join{id: b.core.id}})
	}
}

// mayCreate reports whether this manager is the one to found the cluster: all
// peers are alone, or, since some may be away, a majority was for a while.
func (b *bootstrap) mayCreate() bool {
	if !slices.Contains(b.core.cfg.Peers, b.core.cfg.Addr) {
		return false
	}
	alone, away := 1, 0
	recent := b.recent()
	for _, addr := range b.core.cfg.Peers {
		s, ok := recent[addr]
		switch {
		case addr == b.core.cfg.Addr:
		case !ok:
			away++
		case s.clusterID != 0 && s.leader != "":
			return false
		case s.clusterID == 0 && addr < b.core.cfg.Addr:
			return false // its turn
		case s.clusterID == 0:
			alone++
		}
	}
	if alone == len(b.core.cfg.Peers) {
		return true
	}
	return b.alone >= 10*b.core.cfg.ElectionTicks && alone > len(b.core.cfg.Peers)/2
}

// create writes the beginning of a cluster: an entry 1 that says who belongs to
// it, as a snapshot. A peer that is away has a vote too, under an id that is
// nobody's, until it joins: a majority is always one of all peers, so that two
// majorities of them that begin apart cannot both come to be.
func (b *bootstrap) create() {
	conf := &pb.ConfState{}
	r := roster{clusterID: b.core.rng.Uint64() | 1, admitted: b.core.cfg.Peers, addrs: map[uint64]string{}}
	recent := b.recent()
	for _, addr := range b.core.cfg.Peers {
		id := newID(b.core.rng)
		if s, ok := recent[addr]; ok && s.clusterID == 0 {
			id = s.id
		} else if addr == b.core.cfg.Addr {
			id = b.core.id
		}
		r.addrs[id] = addr
		conf.Voters = append(conf.Voters, id)
	}
	slices.Sort(conf.Voters)
	b.creator = true
	b.start(r.clusterID, &pb.Snapshot{
		Data:     snapshotData(&r, state.New(b.core.cfg.Placement).Snapshot()),
		Metadata: &pb.SnapshotMetadata{ConfState: conf, Index: proto.Uint64(1), Term: proto.Uint64(1)},
	})
}

// start begins with a beginning, which may be nil for one who is fed.
func (b *bootstrap) start(clusterID uint64, beginning *pb.Snapshot) {
	b.starting = true
	b.core.roster.clusterID = clusterID
	w := Write{Identity: &Identity{ID: b.core.id, ClusterID: clusterID, Addr: b.core.cfg.Addr}, Sync: true, start: true}
	if beginning != nil {
		w.Snapshot, w.Install = beginning, true
		w.Hard = &pb.HardState{Term: proto.Uint64(1), Vote: proto.Uint64(0), Commit: proto.Uint64(1)}
	}
	b.core.queue(w)
}

// started goes on after the first write.
func (b *bootstrap) started() {
	b.starting = false
	if !b.creator {
		return
	}
	for _, id := range b.core.conf.GetVoters() {
		if id != b.core.id {
			b.core.post(b.core.roster.addrs[id], Message{bootstrap: b.core.store.snap})
		}
	}
	b.core.election.startFast(0)
}

// onBootstrap takes part in a cluster that another one founded: once in the incarnation of
// a log.
func (b *bootstrap) onInitial(m Message) {
	if b.core.rn != nil || b.core.check != nil || b.starting || m.ClusterID == 0 || !isVoter(m.bootstrap.GetMetadata().GetConfState(), b.core.id) {
		return
	}
	if r, _, err := openSnapshot(m.bootstrap.GetData()); err != nil || r.clusterID != m.ClusterID {
		b.core.log.Error("beginning of a cluster refused", "from", m.From, "err", err)
		return
	}
	b.start(m.ClusterID, m.bootstrap)
}

// sendInitial gives the beginning to a member that has not got it yet.
func (b *bootstrap) sendInitial(m Message) {
	if b.core.rn != nil && m.ClusterID == 0 && b.core.store.snapIndex() == 1 && isVoter(b.core.conf, m.hello.id) {
		b.core.post(m.From, Message{bootstrap: b.core.store.snap})
	}
}

// follow begins to follow the leader that lets this manager in. It has no
// beginning yet; the leader sends a snapshot.
func (b *bootstrap) follow(m Message) {
	switch m.raft.GetType() {
	case pb.MsgApp, pb.MsgHeartbeat, pb.MsgSnap:
		if !b.starting {
			b.start(m.ClusterID, nil)
		}
	}
}

// countLost notes that a member's log is lost: at its address is another incarnation,
// or it is in another cluster. The answer is not older than the members are,
// by its nonce, so that it cannot be of an incarnation before.
func (b *bootstrap) countLost(m Message) {
	for _, id := range b.core.roster.at(m.From) {
		if id != m.hello.id || m.ClusterID != 0 && m.ClusterID != b.core.roster.clusterID {
			b.lost[id] = true
		}
	}
	if b.quorumLost(b.core.conf.GetVoters()) || b.quorumLost(b.core.conf.GetVotersOutgoing()) {
		b.startOver()
	}
}

// quorumLost reports whether no majority of these can ever be again.
func (b *bootstrap) quorumLost(voters []uint64) bool {
	lost := 0
	for _, id := range voters {
		if b.lost[id] {
			lost++
		}
	}
	return len(voters) > 0 && len(voters)-lost <= len(voters)/2
}

// startOver begins anew when a majority has lost its logs. What is on a disk is
// not thrown away for that: somebody may want to save it.
func (b *bootstrap) startOver() {
	if b.core.cfg.Durable && b.core.store.hard.GetCommit() > 1 {
		b.problem = "a majority of the managers lost its data, so that none can be elected: put their latest directories back, or start all managers " +
			"from copies with --restored, or empty the directory of this one too, to begin anew from what the workers report"
		b.core.log.Error(b.problem)
		return
	}
	b.core.log.Warn("a majority of the managers lost its log: beginning anew")
	b.core.proposals.lose()
	b.core.reads.drop()
	b.core.out.Commits = append(b.core.out.Commits, Commit{state: state.New(b.core.cfg.Placement)})
	b.core.renew()
}

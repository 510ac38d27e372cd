package raft

import (
	"maps"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/state"
)

// bootstrap lets managers that belong to no cluster find one or create one.
//
//	alone ──hello──▶ a peer has a leader ──join──▶ learner ──▶ voter
//	  │
//	  └─ all peers are alone (or, after a while, a majority is) ──▶ the one with
//	     the lowest address creates the initial snapshot and sends it to all
type bootstrap struct {
	core     *Core
	alone    int    // ticks of this incarnation without a cluster
	leading  int    // last tick at which a leader was known
	nonce    uint64 // changes with the members, so that older answers are ignored
	starting bool   // the first write is under way
	creator  bool
	seen     map[string]sighting
	lost     map[uint64]bool // members whose log is known to be lost
	problem  string          // for operators, see Status
}

// sighting is what a peer last said about itself.
type sighting struct {
	id, clusterID uint64
	leader        string
	label         string
	tick          int
}

// tick advances the time of a manager that belongs to no cluster.
func (b *bootstrap) tick() {
	if b.starting {
		return
	}
	if b.alone%2 == 0 {
		b.sendHello()
	}
	b.alone++
	b.requestJoin()
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

// others returns the addresses of all other managers that this one knows.
func (c *Core) others() []string {
	all := slices.Concat(c.cfg.Peers, c.roster.admitted)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(addr string) bool { return addr == c.cfg.Addr })
}

// probe asks the others from time to time while there is no leader: they may
// have lost their logs or joined another cluster.
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

// askNames asks members for their labels that never sent one to this leader.
// The hello has no nonce, so that the answer is used for nothing else.
func (b *bootstrap) askNames() {
	for _, id := range slices.Sorted(maps.Keys(b.core.roster.addrs)) {
		if addr := b.core.roster.addrs[id]; id != b.core.id && b.seen[addr].id != id {
			b.core.post(addr, Message{hello: &hello{id: b.core.id, leader: b.core.leader(), label: b.core.cfg.Label}})
		}
	}
}

// onHello records the sender, and answers it or uses its answer.
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

// label returns the label that a member gave itself, if it is known.
func (b *bootstrap) label(id uint64) string {
	if id == b.core.id {
		return b.core.cfg.Label
	}
	if s := b.seen[b.core.roster.addrs[id]]; s.id == id {
		return s.label
	}
	return ""
}

// recent returns the peers that were heard within two election time-outs.
func (b *bootstrap) recent() map[string]sighting {
	out := map[string]sighting{}
	for addr, s := range b.seen {
		if b.core.now-s.tick <= 2*b.core.cfg.ElectionTicks {
			out[addr] = s
		}
	}
	return out
}

// requestJoin asks the leaders that peers know to admit this manager.
func (b *bootstrap) requestJoin() {
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

// mayCreate reports whether this manager creates the cluster: all peers are
// alone, or a majority has been for a while, because the others may be down.
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
			return false // the lowest address creates
		case s.clusterID == 0:
			alone++
		}
	}
	if alone == len(b.core.cfg.Peers) {
		return true
	}
	return b.alone >= 10*b.core.cfg.ElectionTicks && alone > len(b.core.cfg.Peers)/2
}

// create writes the initial snapshot of a cluster, which takes the place of
// entry 1 and names the members. A peer that is down also gets a vote, under a
// placeholder id, until it joins. So a majority is always one of all peers, and
// two clusters cannot both come up.
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

// start writes the identity of this manager and the initial snapshot, which is
// nil if the leader sends a snapshot instead.
func (b *bootstrap) start(clusterID uint64, initial *pb.Snapshot) {
	b.starting = true
	b.core.roster.clusterID = clusterID
	w := Write{Identity: &Identity{ID: b.core.id, ClusterID: clusterID, Addr: b.core.cfg.Addr}, Sync: true, start: true}
	if initial != nil {
		w.Snapshot, w.Install = initial, true
		w.Hard = &pb.HardState{Term: proto.Uint64(1), Vote: proto.Uint64(0), Commit: proto.Uint64(1)}
	}
	b.core.queue(w)
}

// started continues after the first write.
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

// onInitial joins a cluster that another manager created: once in the
// incarnation of a log.
func (b *bootstrap) onInitial(m Message) {
	if b.core.rn != nil || b.core.check != nil || b.starting || m.ClusterID == 0 || !isVoter(m.bootstrap.GetMetadata().GetConfState(), b.core.id) {
		return
	}
	if r, _, err := openSnapshot(m.bootstrap.GetData()); err != nil || r.clusterID != m.ClusterID {
		b.core.log.Error("initial snapshot refused", "from", m.From, "err", err)
		return
	}
	b.start(m.ClusterID, m.bootstrap)
}

// sendInitial sends the initial snapshot to a member that lacks it.
func (b *bootstrap) sendInitial(m Message) {
	if b.core.rn != nil && m.ClusterID == 0 && b.core.store.snapIndex() == 1 && isVoter(b.core.conf, m.hello.id) {
		b.core.post(m.From, Message{bootstrap: b.core.store.snap})
	}
}

// follow starts an empty log when a leader admits this manager. The leader then
// sends a snapshot.
func (b *bootstrap) follow(m Message) {
	switch m.raft.GetType() {
	case pb.MsgApp, pb.MsgHeartbeat, pb.MsgSnap:
		if !b.starting {
			b.start(m.ClusterID, nil)
		}
	}
}

// countLost records that a member's log is lost: another incarnation answers at
// its address, or one of another cluster. The nonce shows that the answer is
// newer than the last change of members, so it is not of an earlier incarnation.
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

// quorumLost reports whether these voters can never form a majority again.
func (b *bootstrap) quorumLost(voters []uint64) bool {
	lost := 0
	for _, id := range voters {
		if b.lost[id] {
			lost++
		}
	}
	return len(voters) > 0 && len(voters)-lost <= len(voters)/2
}

// startOver starts with an empty log when a majority has lost its logs. A log on
// a disk is kept, because operators may want to recover it.
func (b *bootstrap) startOver() {
	if b.core.cfg.Durable && b.core.store.hard.GetCommit() > 1 {
		b.problem = "a majority of the managers lost its data, so that none can be elected: put their latest directories back, or start all managers " +
			"from copies with --restored, or empty the directory of this one too, to rebuild the state from what the workers report"
		b.core.log.Error("no leader can be elected", "problem", b.problem)
		return
	}
	b.core.log.Warn("a majority of the managers lost its log: starting with an empty state")
	b.core.proposals.lose()
	b.core.reads.drop()
	b.core.out.Commits = append(b.core.out.Commits, Commit{state: state.New(b.core.cfg.Placement)})
	b.core.renew()
}

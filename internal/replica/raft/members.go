package raft

import (
	"fmt"
	"maps"
	"slices"

	etcd "go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/replica"
)

// membership is the leader's control of the members. It changes them, one step
// at a time, until they match the admitted addresses.
type membership struct {
	core  *Core
	joins map[string]uint64 // ids that asked to join, by address
	wait  int               // ticks until the next change is proposed
}

// caughtUp is how many entries a learner may lack when it becomes a voter.
const caughtUp = 512

// onJoin records a request to join.
func (ms *membership) onJoin(m Message) {
	if ms.core.role.Kind != replica.Leader || isMember(ms.core.conf, m.join.id) {
		return
	}
	if !ms.core.roster.admits(m.From) {
		ms.core.log.Warn("join refused: this address is not a member, add it first", "addr", m.From)
		return
	}
	ms.joins[m.From] = m.join.id
}

// reconcile proposes the next change of members, if one is needed.
func (ms *membership) reconcile() {
	if ms.wait--; ms.wait > 0 || ms.core.role.Kind != replica.Leader || len(ms.core.conf.GetVotersOutgoing()) > 0 {
		return
	}
	for _, step := range []func() *pb.ConfChangeV2{ms.dismissal, ms.promotion, ms.admission} {
		if change := step(); change != nil {
			ms.wait = ms.core.cfg.ElectionTicks
			if err := ms.core.rn.ProposeConfChange(change); err != nil {
				ms.core.log.Debug("change of members refused", "err", err)
			}
			return
		}
	}
}

// admission adds a manager as a learner that asked to join and is admitted.
func (ms *membership) admission() *pb.ConfChangeV2 {
	for _, addr := range slices.Sorted(maps.Keys(ms.joins)) {
		id := ms.joins[addr]
		delete(ms.joins, addr)
		if isMember(ms.core.conf, id) || !ms.core.roster.admits(addr) {
			continue
		}
		change := changeOf(map[uint64]string{id: addr}, single(pb.ConfChangeAddLearnerNode, id))
		for _, old := range ms.core.roster.at(addr) {
			if !isVoter(ms.core.conf, old) {
				change.Changes = append(change.Changes, single(pb.ConfChangeRemoveNode, old))
			}
		}
		return change
	}
	return nil
}

// promotion makes a learner a voter that has almost all entries, and removes
// earlier members at its address.
func (ms *membership) promotion() *pb.ConfChangeV2 {
	commit := ms.core.store.hard.GetCommit()
	match := ms.core.progress()
	for _, id := range ms.core.conf.GetLearners() {
		if p := match[id]; p.Match == 0 || p.Match+caughtUp < commit || !p.RecentActive {
			continue
		}
		change := changeOf(nil, single(pb.ConfChangeAddNode, id))
		for _, old := range ms.core.roster.at(ms.core.roster.addrs[id]) {
			if old != id {
				change.Changes = append(change.Changes, single(pb.ConfChangeRemoveNode, old))
			}
		}
		return change
	}
	return nil
}

// dismissal removes a member whose address is no longer admitted. A leader that
// must leave transfers the leadership first.
func (ms *membership) dismissal() *pb.ConfChangeV2 {
	for _, id := range slices.Sorted(maps.Keys(ms.core.roster.addrs)) {
		if ms.core.roster.admits(ms.core.roster.addrs[id]) {
			continue
		}
		if id == ms.core.id && len(ms.core.conf.GetVoters()) > 1 {
			ms.core.Transfer()
			return nil
		}
		if isVoter(ms.core.conf, id) && len(ms.core.conf.GetVoters()) == 1 {
			continue // the last voter stays, even if its address is not admitted
		}
		return changeOf(nil, single(pb.ConfChangeRemoveNode, id))
	}
	if id := ms.leftover(); id != 0 {
		return changeOf(nil, single(pb.ConfChangeRemoveNode, id))
	}
	return nil
}

// leftover returns a learner that is silent while a voter at its address is not:
// an earlier incarnation of the voter, whose request to join came late. 0 is none.
func (ms *membership) leftover() uint64 {
	match := ms.core.progress()
	for _, id := range ms.core.conf.GetLearners() {
		if match[id].RecentActive {
			continue
		}
		for _, other := range ms.core.roster.at(ms.core.roster.addrs[id]) {
			if other != id && isVoter(ms.core.conf, other) && (other == ms.core.id || match[other].RecentActive) {
				return id
			}
		}
	}
	return 0
}

func single(kind pb.ConfChangeType, id uint64) *pb.ConfChangeSingle {
	return &pb.ConfChangeSingle{Type: kind.Enum(), NodeId: proto.Uint64(id)}
}

func changeOf(addrs map[uint64]string, changes ...*pb.ConfChangeSingle) *pb.ConfChangeV2 {
	var w writer
	w.addrs(addrs)
	return &pb.ConfChangeV2{Changes: changes, Context: w.Buf}
}

// decided applies a decided change of members.
func (ms *membership) decided(e *pb.Entry) {
	var change pb.ConfChangeV2
	if err := proto.Unmarshal(e.GetData(), &change); err != nil || e.GetType() != pb.EntryConfChangeV2 {
		ms.core.fail(fmt.Errorf("raft: change of members in entry %d: %w", e.GetIndex(), errMalformed))
		return
	}
	ms.core.roster.addrs = maps.Clone(ms.core.roster.addrs)
	r := newReader(change.GetContext())
	if len(r.Buf) > 0 {
		maps.Copy(ms.core.roster.addrs, r.addrs())
	}
	ms.core.conf = ms.core.rn.ApplyConfChange(&change)
	ms.core.roster.prune(ms.core.conf)
	ms.changed()
	ms.core.out.Commits = append(ms.core.out.Commits, Commit{Index: e.GetIndex(), Term: e.GetTerm()})
}

// changed discards what was known about other members.
func (ms *membership) changed() {
	ms.core.bootstrap.nonce = ms.core.rng.Uint64()
	clear(ms.core.bootstrap.lost)
	ms.core.acks.prune()
	ms.wait = 0
	ms.core.version++
	ms.core.log.Info("members changed", "voters", len(ms.core.conf.GetVoters()), "learners", len(ms.core.conf.GetLearners()))
}

// progress is what a leader knows of each member. RecentActive is corrected: at
// each quorum check the library forgets who is active, until they answer the next
// heartbeat.
func (c *Core) progress() map[uint64]tracker.Progress {
	out := map[uint64]tracker.Progress{}
	c.rn.WithProgress(func(id uint64, _ etcd.ProgressType, p tracker.Progress) {
		at, heard := c.active[id]
		p.RecentActive = p.RecentActive || heard && c.now-at <= 2*c.cfg.HeartbeatTicks
		out[id] = p
	})
	return out
}

// noteActive stores who is active, before the library may forget it.
func (c *Core) noteActive() {
	c.rn.WithProgress(func(id uint64, _ etcd.ProgressType, p tracker.Progress) {
		if p.RecentActive {
			c.active[id] = c.now
		}
	})
}

// Admit allows managers at an address to join. Only the leader can do it.
func (c *Core) Admit(addr string) error { return c.membership.propose(recordAdmit, addr) }

// Dismiss removes the manager at an address. Only the leader can do it.
func (c *Core) Dismiss(addr string) error {
	if c.role.Kind == replica.Leader && !c.membership.othersVote(addr) {
		return fmt.Errorf("raft: %s is the last manager that votes, and cannot be removed: add another one first", addr)
	}
	return c.membership.propose(recordDismiss, addr)
}

func (ms *membership) propose(kind byte, addr string) error {
	if ms.core.role.Kind != replica.Leader {
		return replica.NotLeaderError{Leader: ms.core.leader()}
	}
	if err := ms.core.rn.Propose(encodeAddr(kind, addr)); err != nil {
		return replica.ErrLost
	}
	ms.core.pump()
	return nil
}

// Transfer passes the leadership to the voter with the longest log, and reports
// whether there is one. Until that one leads, this one refuses proposals.
func (c *Core) Transfer() bool {
	if c.role.Kind != replica.Leader {
		return false
	}
	best, most := uint64(0), uint64(0)
	match := c.progress()
	for _, id := range slices.Sorted(slices.Values(c.conf.GetVoters())) {
		if p := match[id]; id != c.id && p.RecentActive && p.Match > most {
			best, most = id, p.Match
		}
	}
	if best == 0 {
		return false
	}
	c.log.Info("transferring leadership", "to", c.roster.addrs[best])
	c.rn.TransferLeader(best)
	c.pump()
	return true
}

// introduce adds the receiver of a snapshot to its members, as a learner. The
// snapshot may be older than the receiver's membership, which is in the entries
// after it, and a member refuses snapshots that do not name it.
func introduce(m *pb.Message) *pb.Message {
	conf := m.GetSnapshot().GetMetadata().GetConfState()
	if isMember(conf, m.GetTo()) {
		return m
	}
	conf = proto.Clone(conf).(*pb.ConfState)
	conf.Learners = append(conf.Learners, m.GetTo())
	meta := m.GetSnapshot().GetMetadata()
	return &pb.Message{
		Type: m.Type, To: m.To, From: m.From, Term: m.Term,
		Snapshot: &pb.Snapshot{Data: m.GetSnapshot().GetData(), Metadata: &pb.SnapshotMetadata{
			ConfState: conf, Index: meta.Index, Term: meta.Term,
		}},
	}
}

// Unreachable reports that messages to an address were lost.
func (c *Core) Unreachable(addr string) {
	if c.rn == nil || c.err != nil {
		return
	}
	for _, id := range c.roster.at(addr) {
		c.rn.ReportUnreachable(id)
	}
	c.pump()
}

// SnapshotSent reports whether a snapshot reached its receiver.
func (c *Core) SnapshotSent(m Message, ok bool) {
	if c.rn == nil || c.err != nil || m.raft.GetFrom() != c.id {
		return
	}
	status := etcd.SnapshotFinish
	if !ok {
		status = etcd.SnapshotFailure
	}
	c.rn.ReportSnapshot(m.raft.GetTo(), status)
	c.pump()
}

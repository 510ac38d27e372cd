package raft

import (
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/state"
)

// SnapshotJob is a snapshot that the owner of the state writes, piece by piece:
// see Applier.TakeSnapshotJob.
type SnapshotJob struct {
	incarnation uint64
	index, term uint64
	conf        *pb.ConfState
	roster      roster
	data        *state.Snapshotting
}

// begin begins the snapshot. Its data are the roster, then the state.
func (j *SnapshotJob) begin(s *state.State) {
	var w writer
	w.roster(&j.roster)
	j.data = s.BeginSnapshot(w.Buf)
}

// snapshot is what was written.
func (j *SnapshotJob) snapshot() *pb.Snapshot {
	return &pb.Snapshot{
		Data:     j.data.Bytes(),
		Metadata: &pb.SnapshotMetadata{Index: proto.Uint64(j.index), Term: proto.Uint64(j.term), ConfState: j.conf},
	}
}

// snapshots replaces the older part of the log by snapshots: this manager's own,
// and those that the leader sends.
type snapshots struct {
	core       *Core
	compacting bool // a SnapshotJob is being written
	// installing is the index of the last snapshot of another manager that was
	// queued for the disk.
	installing uint64
	opened     *Message // the last snapshot that was received, already decoded
}

// compact drops the older part of the log when it is longer than the configured
// size and than half of the last snapshot, so that the work for snapshots and the
// memory for the log stay in proportion.
//
// Without a disk a snapshot is only for members that lag or are new: it is begun
// when one needs it, and let go when the log is compacted next. With a disk it
// takes the place of the older part there. The last one is let go first, or there
// would be two of them in memory; a member that needs one is sent the new one.
func (s *snapshots) compact() {
	store := s.core.store
	if s.compacting || store.snap == nil || store.last() < s.core.applied { // the last: not all decided entries are on this disk yet
		return
	}
	full := store.size >= max(s.core.cfg.CompactBytes, store.snapBytes/2) && s.core.applied > store.snapIndex()
	switch {
	case store.wanted() || full && s.core.cfg.Durable:
		s.compacting = true
		store.letGo()
		s.core.out.Commits = append(s.core.out.Commits, Commit{job: &SnapshotJob{
			incarnation: s.core.incarnation, index: s.core.applied, term: s.core.appliedTerm, conf: s.core.conf, roster: s.core.roster.clone(),
		}})
	case full:
		store.compact(&pb.Snapshot{Metadata: &pb.SnapshotMetadata{
			Index: proto.Uint64(s.core.applied), Term: proto.Uint64(s.core.appliedTerm), ConfState: s.core.conf,
		}}, s.core.cfg.CompactBytes/4) // for members that lag a little
	}
}

// Compacted handles a SnapshotJob that is complete. It is dropped if a later
// snapshot of another manager was queued for the disk meanwhile.
func (c *Core) Compacted(j *SnapshotJob) {
	if j.incarnation != c.incarnation {
		return
	}
	c.snapshots.compacting = false
	snap := j.snapshot()
	index := snap.GetMetadata().GetIndex()
	if index < c.store.snapIndex() || index <= c.snapshots.installing || len(c.store.snap.GetData()) > 0 {
		return
	}
	c.store.compact(snap, c.cfg.CompactBytes/4)
	if c.cfg.Durable {
		c.queue(Write{Snapshot: snap})
	}
}

// install applies a snapshot of another manager, which is durable now.
func (s *snapshots) install(snap *pb.Snapshot) {
	meta := snap.GetMetadata()
	members, restored, err := s.open(snap)
	if err != nil {
		s.core.fail(err)
		return
	}
	s.core.log.Info("snapshot installed", "index", meta.GetIndex(), "bytes", len(snap.GetData()))
	s.core.roster, s.core.conf = members, meta.GetConfState()
	s.core.applied = meta.GetIndex()
	s.core.out.Commits = append(s.core.out.Commits, Commit{Index: meta.GetIndex(), Term: meta.GetTerm(), state: restored})
	s.core.membership.changed()
}

// open decodes a snapshot, unless that was done when it was received.
func (s *snapshots) open(snap *pb.Snapshot) (roster, *state.State, error) {
	m := s.opened
	s.opened = nil
	if m != nil && m.restored != nil && m.raft.GetSnapshot().GetMetadata().GetIndex() == snap.GetMetadata().GetIndex() &&
		m.raft.GetSnapshot().GetMetadata().GetTerm() == snap.GetMetadata().GetTerm() {
		return *m.members, m.restored, nil
	}
	return openSnapshot(snap.GetData())
}

package raft

import (
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/state"
)

// SnapshotJob makes a snapshot, in one of two ways. The owner of a small state
// encodes it, which stops the owner for some milliseconds. A large one is made
// in the background from the last snapshot and the entries since. That costs a
// second copy of the state, and applying these entries a second time.
type SnapshotJob struct {
	incarnation uint64
	index, term uint64
	from        *pb.Snapshot
	entries     []*pb.Entry
	conf        *pb.ConfState
	roster      roster
	own         []byte // the state at index, if its owner encoded it
}

// Run makes the snapshot. It uses nothing but the SnapshotJob, so it may run in
// another goroutine.
func (j *SnapshotJob) Run() (*pb.Snapshot, error) {
	data := j.own
	if data == nil {
		s, err := j.replay()
		if err != nil {
			return nil, err
		}
		data = s.Snapshot()
	}
	return &pb.Snapshot{
		Data:     snapshotData(&j.roster, data),
		Metadata: &pb.SnapshotMetadata{Index: proto.Uint64(j.index), Term: proto.Uint64(j.term), ConfState: j.conf},
	}, nil
}

// replay applies the entries since the last snapshot to a copy of it.
func (j *SnapshotJob) replay() (*state.State, error) {
	_, s, err := openSnapshot(j.from.GetData())
	if err != nil {
		return nil, err
	}
	s.TaskEvents(false)
	for _, e := range j.entries {
		commands, err := entryCommands(e)
		if err != nil {
			return nil, fmt.Errorf("raft: snapshot: entry %d: %w", e.GetIndex(), err)
		}
		for _, c := range commands {
			s.Apply(c)
		}
	}
	return s, nil
}

// snapshots replaces the older part of the log by snapshots: this manager's own,
// and those that the leader sends.
type snapshots struct {
	core       *Core
	compacting bool // a SnapshotJob is running
	// installing is the index of the last snapshot of another manager that was
	// queued for the disk.
	installing uint64
	opened     *Message // the last snapshot that was received, already decoded
}

// compact starts a snapshot when the log since the last one is longer than the
// configured size and than the snapshot itself. So the work for snapshots stays
// in proportion to that for commands.
func (s *snapshots) compact() {
	limit := max(s.core.cfg.CompactBytes, len(s.core.store.snap.GetData()))
	if s.compacting || s.core.store.snap == nil || s.core.store.size < limit || s.core.applied <= s.core.store.snapIndex() {
		return
	}
	entries := s.core.store.since(s.core.store.snapIndex())
	if uint64(len(entries)) < s.core.applied-s.core.store.snapIndex() {
		return // not all decided entries are on this disk yet
	}
	s.compacting = true
	job := &SnapshotJob{incarnation: s.core.incarnation, index: s.core.applied, term: s.core.appliedTerm, conf: s.core.conf, roster: s.core.roster.clone()}
	if len(s.core.store.snap.GetData()) <= s.core.cfg.OwnSnapshotBytes {
		s.core.out.Commits = append(s.core.out.Commits, Commit{job: job})
		return
	}
	job.from, job.entries = s.core.store.snap, entries[:s.core.applied-s.core.store.snapIndex()]
	s.core.out.Compact = job
}

// Compacted handles the result of a SnapshotJob. It is dropped if a later
// snapshot of another manager was queued for the disk meanwhile.
func (c *Core) Compacted(j *SnapshotJob, snap *pb.Snapshot, err error) {
	if j.incarnation != c.incarnation {
		return
	}
	c.snapshots.compacting = false
	switch {
	case err != nil:
		c.fail(err)
	case snap.GetMetadata().GetIndex() > max(c.store.snapIndex(), c.snapshots.installing):
		c.store.compact(snap, c.cfg.CompactBytes/4) // for members that lag a little
		if c.cfg.Durable {
			c.queue(Write{Snapshot: snap})
		}
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

package raft

import (
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/muster-fleet/muster/internal/state"
)

// SnapshotJob is the making of a snapshot, in one of two ways. A small state is written
// down by its owner, who stands still for it for some milliseconds. A large one
// is made from the last snapshot and the entries since, beside everything: its
// price is a second copy of the state, and all the work of deciding once more.
type SnapshotJob struct {
	incarnation uint64
	index, term uint64
	from        *pb.Snapshot
	entries     []*pb.Entry
	conf        *pb.ConfState
	roster      roster
	own         []byte // the state at index, where its owner wrote it down
}

// Run makes the snapshot. It reads nothing but what is in the SnapshotJob.
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

// replay does once more what was decided since the last snapshot.
func (j *SnapshotJob) replay() (*state.State, error) {
	_, s, err := openSnapshot(j.from.GetData())
	if err != nil {
		return nil, err
	}
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

// compact asks for a snapshot when the log since the last one has become long:
// longer than the configured size, and than the snapshot itself, so that the
// work for snapshots stays in proportion to that for commands.
func (c *Core) compact() {
	limit := max(c.cfg.CompactBytes, len(c.store.snap.GetData()))
	if c.compacting || c.store.snap == nil || c.store.size < limit || c.handed <= c.store.snapIndex() {
		return
	}
	entries := c.store.since(c.store.snapIndex())
	if uint64(len(entries)) < c.handed-c.store.snapIndex() {
		return // what was decided is not all on this disk yet
	}
	c.compacting = true
	job := &SnapshotJob{incarnation: c.incarnation, index: c.handed, term: c.handedTerm, conf: c.conf, roster: c.roster.clone()}
	if len(c.store.snap.GetData()) <= c.cfg.OwnSnapshotBytes {
		c.out.Commits = append(c.out.Commits, Commit{job: job})
		return
	}
	job.from, job.entries = c.store.snap, entries[:c.handed-c.store.snapIndex()]
	c.out.Compact = job
}

// Compacted takes the outcome of a SnapshotJob. A snapshot of another manager may be on
// its way to the disk meanwhile: an older one must not come after it.
func (c *Core) Compacted(j *SnapshotJob, snap *pb.Snapshot, err error) {
	if j.incarnation != c.incarnation {
		return
	}
	c.compacting = false
	switch {
	case err != nil:
		c.fail(err)
	case snap.GetMetadata().GetIndex() > max(c.store.snapIndex(), c.installing):
		c.store.compact(snap, c.cfg.CompactBytes/4) // for those who are a little behind
		if c.cfg.Durable {
			c.queue(Write{Snapshot: snap})
		}
	}
}

// install takes a snapshot of another manager, which is durable now.
func (c *Core) install(snap *pb.Snapshot) {
	meta := snap.GetMetadata()
	members, s, err := c.open(snap)
	if err != nil {
		c.fail(err)
		return
	}
	c.log.Info("snapshot taken over", "index", meta.GetIndex(), "bytes", len(snap.GetData()))
	c.roster, c.conf = members, meta.GetConfState()
	c.handed = meta.GetIndex()
	c.out.Commits = append(c.out.Commits, Commit{Index: meta.GetIndex(), Term: meta.GetTerm(), state: s})
	c.membersChanged()
}

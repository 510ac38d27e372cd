package raft

import (
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Job is the making of a snapshot: the last one, and the entries since. It
// reads nothing else, so that it runs beside everything: nobody who owns a
// state stands still for it. Its price is a second copy of the state for as
// long as it runs.
type Job struct {
	life    uint64
	from    *pb.Snapshot
	entries []*pb.Entry
	conf    *pb.ConfState
	roster  roster
}

// Run makes the snapshot.
func (j *Job) Run() (*pb.Snapshot, error) {
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
	last := j.entries[len(j.entries)-1]
	return &pb.Snapshot{
		Data: snapshotData(&j.roster, s.Snapshot()),
		Metadata: &pb.SnapshotMetadata{
			Index: proto.Uint64(last.GetIndex()), Term: proto.Uint64(last.GetTerm()), ConfState: j.conf,
		},
	}, nil
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
	c.out.Compact = &Job{
		life: c.life, from: c.store.snap, entries: entries[:c.handed-c.store.snapIndex()],
		conf: c.conf, roster: c.roster.clone(),
	}
}

// Compacted takes the outcome of a Job.
func (c *Core) Compacted(j *Job, snap *pb.Snapshot, err error) {
	if j.life != c.life {
		return
	}
	c.compacting = false
	switch {
	case err != nil:
		c.fail(err)
	case snap.GetMetadata().GetIndex() > c.store.snapIndex():
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

package simtest

import (
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/muster-fleet/muster/internal/replica/raft"
)

// disk is what a manager finds again when it starts: the writes that were made,
// put together. Its zero value is empty.
type disk struct{ saved *raft.Saved }

// save makes a write. What a log on a disk has to do is in package raft, with
// tests of its own.
func (d *disk) save(w raft.Write) {
	if w.Identity != nil {
		d.saved = &raft.Saved{Identity: *w.Identity}
	}
	s := d.saved
	if w.Hard != nil {
		s.Hard = w.Hard
	}
	if w.Acks != nil {
		s.Acks = w.Acks
	}
	if w.Snapshot != nil {
		s.Snapshot = w.Snapshot
		index := w.Snapshot.GetMetadata().GetIndex()
		s.Entries = slices.DeleteFunc(s.Entries, func(e *pb.Entry) bool { return w.Install || e.GetIndex() <= index })
	}
	d.append(w.Entries)
}

// append puts entries in place of those that have their indexes or later ones.
func (d *disk) append(entries []*pb.Entry) {
	s := d.saved
	for len(entries) > 0 && entries[0].GetIndex() <= s.Snapshot.GetMetadata().GetIndex() {
		entries = entries[1:]
	}
	if len(entries) == 0 {
		return
	}
	keep := slices.IndexFunc(s.Entries, func(e *pb.Entry) bool { return e.GetIndex() >= entries[0].GetIndex() })
	if keep < 0 {
		keep = len(s.Entries)
	}
	s.Entries = append(s.Entries[:keep], entries...)
}

// copied is what a manager gets to start from: its own, so that it may keep it.
func (d *disk) copied() *raft.Saved {
	if d.saved == nil {
		return nil
	}
	saved := *d.saved
	saved.Entries = slices.Clone(saved.Entries)
	return &saved
}

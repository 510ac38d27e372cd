package raft

import (
	etcd "go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// memLog is the log in memory, from which the library reads. If there is a disk it
// has only what is durable. Its entries and snapshots never change, so that other
// goroutines may read them. Unlike the library's own it does not copy the
// snapshot, which may have a hundred megabytes.
type memLog struct {
	hard *pb.HardState
	snap *pb.Snapshot // nil before there is one
	// snapBytes is the size of the last snapshot, also once its data are let go.
	snapBytes int
	asked     bool // a member needs a snapshot
	// base is the index before the first entry.
	base, baseTerm uint64
	entries        []*pb.Entry
	size           int // bytes of the entries after the snapshot
}

func newMemLog() *memLog { return &memLog{hard: &pb.HardState{}} }

// InitialState is part of etcd.Storage.
func (l *memLog) InitialState() (*pb.HardState, *pb.ConfState, error) {
	return l.hard, pb.EnsureConfState(l.snap.GetMetadata().GetConfState()), nil
}

// Entries is part of etcd.Storage.
func (l *memLog) Entries(lo, hi, maxSize uint64) ([]*pb.Entry, error) {
	if lo <= l.base {
		return nil, etcd.ErrCompacted
	}
	if hi > l.last()+1 {
		return nil, etcd.ErrUnavailable
	}
	entries, size := l.entries[lo-l.base-1:hi-l.base-1], uint64(0)
	for i, e := range entries {
		size += uint64(entrySize(e))
		if i > 0 && size > maxSize {
			entries = entries[:i]
			break
		}
	}
	return entries[:len(entries):len(entries)], nil
}

// Term is part of etcd.Storage.
func (l *memLog) Term(i uint64) (uint64, error) {
	switch {
	case i < l.base:
		return 0, etcd.ErrCompacted
	case i == l.base:
		return l.baseTerm, nil
	case i > l.last():
		return 0, etcd.ErrUnavailable
	}
	return l.entries[i-l.base-1].GetTerm(), nil
}

// LastIndex is part of etcd.Storage.
func (l *memLog) LastIndex() (uint64, error) { return l.last(), nil }

// FirstIndex is part of etcd.Storage.
func (l *memLog) FirstIndex() (uint64, error) { return l.base + 1, nil }

// Snapshot is part of etcd.Storage.
func (l *memLog) Snapshot() (*pb.Snapshot, error) {
	if l.snap == nil || len(l.snap.GetData()) == 0 {
		l.asked = true
		return nil, etcd.ErrSnapshotTemporarilyUnavailable
	}
	return l.snap, nil
}

func (l *memLog) last() uint64 { return l.base + uint64(len(l.entries)) }

func (l *memLog) lastTerm() uint64 {
	term, _ := l.Term(l.last())
	return term
}

// snapIndex is the index of the snapshot, 0 where there is none.
func (l *memLog) snapIndex() uint64 { return l.snap.GetMetadata().GetIndex() }

// append adds entries and removes those with the same or later indexes.
func (l *memLog) append(entries []*pb.Entry) {
	for len(entries) > 0 && entries[0].GetIndex() <= l.base {
		entries = entries[1:]
	}
	if len(entries) == 0 {
		return
	}
	keep := entries[0].GetIndex() - l.base - 1
	for _, e := range l.entries[keep:] {
		l.size -= entrySize(e)
	}
	if keep < uint64(len(l.entries)) {
		l.entries = l.entries[:keep:keep] // other goroutines may read the old ones
	}
	l.entries = append(l.entries, entries...)
	for _, e := range entries {
		l.size += entrySize(e)
	}
}

// install replaces everything by a snapshot that another manager sent.
func (l *memLog) install(snap *pb.Snapshot) {
	l.snap, l.snapBytes = snap, len(snap.GetData())
	l.base, l.baseTerm = snap.GetMetadata().GetIndex(), snap.GetMetadata().GetTerm()
	l.entries, l.size = nil, 0
}

// wanted reports whether a member needs a snapshot and there is none.
func (l *memLog) wanted() bool { return l.asked && len(l.snap.GetData()) == 0 }

// letGo lets the data of the snapshot go. Until there is the next one, the library
// asks again.
func (l *memLog) letGo() { l.snap = &pb.Snapshot{Metadata: l.snap.GetMetadata()} }

// compact replaces the entries up to a snapshot of this manager's own, except
// about keep bytes of them, from which others can catch up. The snapshot may lack
// its data: see letGo.
func (l *memLog) compact(snap *pb.Snapshot, keep int) {
	l.snap, l.asked = snap, false
	if n := len(snap.GetData()); n > 0 {
		l.snapBytes = n
	}
	index := snap.GetMetadata().GetIndex()
	first := index
	for ; first > l.base && keep > 0; first-- {
		keep -= entrySize(l.entries[first-l.base-1])
	}
	if first > l.base {
		term, _ := l.Term(first)
		l.entries = append([]*pb.Entry(nil), l.entries[first-l.base:]...)
		l.base, l.baseTerm = first, term
	}
	l.size = 0
	for _, e := range l.since(index) {
		l.size += entrySize(e)
	}
}

// since returns the entries after an index.
func (l *memLog) since(index uint64) []*pb.Entry {
	n := len(l.entries)
	return l.entries[min(index-l.base, uint64(n)):n:n]
}

// onlyCommands reports whether the entries after one index, up to another, are
// all there and hold nothing but commands.
func (l *memLog) onlyCommands(after, index uint64) bool {
	for _, e := range l.since(after) {
		if e.GetIndex() > index {
			break
		}
		if e.GetType() != pb.EntryNormal || !isBatch(e.GetData()) {
			return false
		}
	}
	return index <= l.last()
}

// entrySize is the approximate size of an entry, in bytes.
func entrySize(e *pb.Entry) int { return len(e.GetData()) + 32 }

package raft

import (
	"maps"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
)

// ackRecord is the most that a member is known to have made durable: in term
// Term it had the log up to Match, whose entry is of MatchTerm (0 if unknown),
// and had voted for Vote (0 if unknown). A member acknowledges only what is on
// its disk, so a directory with less is an older copy.
type ackRecord struct {
	Term, Vote       uint64
	Match, MatchTerm uint64
}

// merge returns the later of two records of one member. What a member has only
// grows within a term, and its term only grows.
func (a ackRecord) merge(b ackRecord) ackRecord {
	if a.Term != b.Term {
		if a.Term > b.Term {
			return a
		}
		return b
	}
	if b.Match > a.Match || b.Match == a.Match && a.MatchTerm == 0 {
		a.Match, a.MatchTerm = b.Match, b.MatchTerm
	}
	if a.Vote == 0 {
		a.Vote = b.Vote
	}
	return a
}

// ackTable is what this manager knows about the logs of the members. The leader
// collects it and sends it to all, and every manager writes it into its log. So
// the managers that remain notice when a member returns with less.
//
// The table is written without waiting for the disk. A killed process loses
// none of it; a power failure loses the last moments.
type ackTable struct {
	core    *Core
	records map[uint64]ackRecord
	changed bool // since it was written
	news    bool // since it was sent
}

// note merges a record of a member into the table.
func (t *ackTable) note(id uint64, a ackRecord) {
	old := t.records[id]
	next := old.merge(a)
	if next == old {
		return
	}
	if t.records == nil {
		t.records = map[uint64]ackRecord{}
	}
	t.records[id] = next
	t.changed, t.news = true, true
}

// onMessage records what a message of another member says about its disk.
func (t *ackTable) onMessage(m *pb.Message) {
	if m.GetReject() || m.GetTerm() != t.core.rn.BasicStatus().GetTerm() {
		return
	}
	switch m.GetType() {
	case pb.MsgAppResp:
		t.note(m.GetFrom(), t.core.store.ackUpTo(m.GetTerm(), m.GetIndex()))
	case pb.MsgVoteResp:
		t.note(m.GetFrom(), ackRecord{Term: m.GetTerm(), Vote: t.core.id})
	}
}

// ackUpTo returns the record of a member that acknowledged an index in a term.
func (l *memLog) ackUpTo(term, index uint64) ackRecord {
	a := ackRecord{Term: term, Match: index}
	switch {
	case index > l.last():
		a.MatchTerm = term // a follower's disk was faster: the entry is of the leader's term
	case index >= l.base:
		a.MatchTerm, _ = l.Term(index)
	}
	return a
}

// tick sends and writes the table, at most once per heartbeat.
func (t *ackTable) tick() {
	if !t.core.cfg.Durable || t.core.now%t.core.cfg.HeartbeatTicks != 0 {
		return
	}
	if t.core.elected() {
		term := t.core.rn.BasicStatus().GetTerm()
		if t.core.store.hard.GetTerm() == term { // else others elected it before its own disk knows the term
			t.note(t.core.id, t.core.store.ackUpTo(term, t.core.store.last()))
		}
		t.send()
	}
	if t.changed {
		t.changed = false
		records := map[uint64]ackRecord{} // nil would write nothing
		maps.Copy(records, t.records)
		t.core.queue(Write{Acks: records})
	}
}

// send sends the table of the leader to all members, if it has changed.
func (t *ackTable) send() {
	if !t.news {
		return
	}
	t.news = false
	records := maps.Clone(t.records)
	for _, id := range slices.Sorted(maps.Keys(t.core.roster.addrs)) {
		if id != t.core.id {
			t.core.post(t.core.roster.addrs[id], Message{acks: records})
		}
	}
}

// onAcks merges the table of the leader.
func (t *ackTable) onAcks(m Message) {
	if t.core.rn == nil || m.ClusterID != t.core.roster.clusterID {
		return
	}
	for id, a := range m.acks {
		if isMember(t.core.conf, id) && id != t.core.id {
			t.note(id, a)
		}
	}
}

// prune removes those that are no longer members.
func (t *ackTable) prune() {
	maps.DeleteFunc(t.records, func(id uint64, _ ackRecord) bool { return !isMember(t.core.conf, id) })
}

func (w *writer) ack(a ackRecord) {
	w.Uint(a.Term)
	w.Uint(a.Vote)
	w.Uint(a.Match)
	w.Uint(a.MatchTerm)
}

func (r *reader) ack() ackRecord {
	return ackRecord{Term: r.Uint(), Vote: r.Uint(), Match: r.Uint(), MatchTerm: r.Uint()}
}

func (w *writer) acks(records map[uint64]ackRecord) {
	w.Uint(uint64(len(records)))
	for _, id := range slices.Sorted(maps.Keys(records)) {
		w.Fixed(id)
		w.ack(records[id])
	}
}

func (r *reader) acks() map[uint64]ackRecord {
	records := map[uint64]ackRecord{}
	for range r.Count() {
		if r.Bad() {
			break
		}
		id := r.Fixed()
		records[id] = r.ack()
	}
	return records
}

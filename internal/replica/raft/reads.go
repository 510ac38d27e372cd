package raft

import (
	"encoding/binary"

	etcd "go.etcd.io/raft/v3"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// reads are the reads that wait for a majority to confirm the leader. Those that
// arrive while a question is open share the next one.
type reads struct {
	core    *Core
	waiting []func(*state.State, error)
	asked   []func(*state.State, error)
	first   uint64 // number of the first question for those that asked
	last    uint64 // number of the last question
	age     int    // ticks since the first question
	index   uint64 // the entry that must be applied first, 0 before it is known
}

// Read passes fs to the owner once everything is applied that was decided
// before this call.
func (c *Core) Read(fs ...func(*state.State, error)) {
	if c.rn == nil || c.err != nil {
		c.out.Commits = append(c.out.Commits, Commit{reads: fs, err: replica.NotLeaderError{}})
		return
	}
	c.reads.waiting = append(c.reads.waiting, fs...)
	c.reads.ask()
	c.pump()
}

// ask opens a question for all that wait, unless one is open.
func (r *reads) ask() {
	if len(r.asked) > 0 || len(r.waiting) == 0 {
		return
	}
	r.asked, r.waiting = r.waiting, nil
	r.age, r.index, r.first = 0, 0, r.last+1
	r.question()
}

// question asks for the read index, unless this manager was elected and nothing
// of its own term is decided yet: a leader that votes alone would answer with
// the commit index that it remembers, which may be older than its last answer.
func (r *reads) question() {
	if r.core.elected() && r.core.ledTerm != r.core.rn.BasicStatus().GetTerm() {
		return
	}
	r.last++
	r.core.rn.ReadIndex(binary.BigEndian.AppendUint64(nil, r.last))
}

// tick asks again, because a question may be lost, and fails the reads after the
// time of two elections: also those whose entry is known, which is not applied while
// there is no leader to send it.
func (r *reads) tick() {
	if len(r.asked) == 0 {
		return
	}
	r.age++
	switch {
	case r.age >= 4*r.core.cfg.ElectionTicks:
		r.end(replica.NotLeaderError{Leader: r.core.leader()})
	case r.index == 0 && r.age%(2*r.core.cfg.HeartbeatTicks) == 0:
		r.question()
	}
}

// onStates takes the answers of the library.
func (r *reads) onStates(answers []etcd.ReadState) {
	for _, a := range answers {
		if len(a.RequestCtx) != 8 || len(r.asked) == 0 || r.index != 0 {
			continue
		}
		if n := binary.BigEndian.Uint64(a.RequestCtx); n >= r.first && n <= r.last {
			r.index = a.Index
		}
	}
	r.release()
}

// release ends the reads whose index is applied.
func (r *reads) release() {
	if r.index != 0 && r.index <= r.core.applied {
		r.end(nil)
	}
}

// end passes the reads that asked to the owner, and asks for the next ones.
func (r *reads) end(err error) {
	r.core.out.Commits = append(r.core.out.Commits, Commit{reads: r.asked, err: err})
	r.asked, r.index = nil, 0
	r.ask()
}

// drop fails all reads.
func (r *reads) drop() {
	all := append(r.asked, r.waiting...)
	*r = reads{core: r.core, last: r.last}
	if len(all) > 0 {
		r.core.out.Commits = append(r.core.out.Commits, Commit{reads: all, err: replica.ErrLost})
	}
}

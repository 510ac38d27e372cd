package raft

import (
	"encoding/binary"

	etcd "go.etcd.io/raft/v3"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// reads are the reads that wait for a majority to say that the leader leads.
// Those that come while one question is out share the next one.
type reads struct {
	core    *Core
	waiting []func(*state.State, error)
	asked   []func(*state.State, error)
	first   uint64 // question of those that asked
	last    uint64 // number of the last question
	age     int    // ticks since the first question
	index   uint64 // what the copy must have, 0 before it is known
}

// Read hands f to the owner when the copy has everything that was decided
// before now.
func (c *Core) Read(fs ...func(*state.State, error)) {
	if c.rn == nil || c.err != nil {
		c.out.Commits = append(c.out.Commits, Commit{reads: fs, err: replica.NotLeaderError{}})
		return
	}
	c.reads.waiting = append(c.reads.waiting, fs...)
	c.reads.ask()
	c.pump()
}

// askReads puts the question for all that wait, unless one is out.
func (r *reads) ask() {
	if len(r.asked) > 0 || len(r.waiting) == 0 {
		return
	}
	r.asked, r.waiting = r.waiting, nil
	r.age, r.index, r.first = 0, 0, r.last+1
	r.question()
}

// questionReads asks who leads, unless it is this manager and it does not have
// everything yet: a leader that votes alone would answer even then, with what
// it remembers to be decided, which may be less than what was answered.
func (r *reads) question() {
	if r.core.elected() && r.core.led != r.core.rn.BasicStatus().GetTerm() {
		return
	}
	r.last++
	r.core.rn.ReadIndex(binary.BigEndian.AppendUint64(nil, r.last))
}

// readTick asks again, since a question may be lost, and gives up after as
// long as two elections take.
func (r *reads) tick() {
	if len(r.asked) == 0 || r.index != 0 {
		return
	}
	r.age++
	switch {
	case r.age >= 4*r.core.cfg.ElectionTicks:
		r.end(replica.NotLeaderError{Leader: r.core.leader()})
	case r.age%(2*r.core.cfg.HeartbeatTicks) == 0:
		r.question()
	}
}

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

// releaseReads lets the reads go whose index was handed out.
func (r *reads) release() {
	if r.index != 0 && r.index <= r.core.handed {
		r.end(nil)
	}
}

func (r *reads) end(err error) {
	r.core.out.Commits = append(r.core.out.Commits, Commit{reads: r.asked, err: err})
	r.asked, r.index = nil, 0
	r.ask()
}

// dropReads ends all reads without an answer.
func (r *reads) drop() {
	all := append(r.asked, r.waiting...)
	*r = reads{core: r.core, last: r.last}
	if len(all) > 0 {
		r.core.out.Commits = append(r.core.out.Commits, Commit{reads: all, err: replica.ErrLost})
	}
}

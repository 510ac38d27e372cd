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
	c.askReads()
	c.pump()
}

// askReads puts the question for all that wait, unless one is out.
func (c *Core) askReads() {
	r := &c.reads
	if len(r.asked) > 0 || len(r.waiting) == 0 {
		return
	}
	r.asked, r.waiting = r.waiting, nil
	r.age, r.index, r.first = 0, 0, r.last+1
	c.questionReads()
}

// questionReads asks who leads, unless it is this manager and it does not have
// everything yet: a leader that votes alone would answer even then, with what
// it remembers to be decided, which may be less than what was answered.
func (c *Core) questionReads() {
	if c.elected() && c.led != c.rn.BasicStatus().GetTerm() {
		return
	}
	c.reads.last++
	c.rn.ReadIndex(binary.BigEndian.AppendUint64(nil, c.reads.last))
}

// readTick asks again, since a question may be lost, and gives up after as
// long as two elections take.
func (c *Core) readTick() {
	r := &c.reads
	if len(r.asked) == 0 || r.index != 0 {
		return
	}
	r.age++
	switch {
	case r.age >= 4*c.cfg.ElectionTicks:
		c.endReads(replica.NotLeaderError{Leader: c.leader()})
	case r.age%(2*c.cfg.HeartbeatTicks) == 0:
		c.questionReads()
	}
}

func (c *Core) readStates(answers []etcd.ReadState) {
	r := &c.reads
	for _, a := range answers {
		if len(a.RequestCtx) != 8 || len(r.asked) == 0 || r.index != 0 {
			continue
		}
		if n := binary.BigEndian.Uint64(a.RequestCtx); n >= r.first && n <= r.last {
			r.index = a.Index
		}
	}
	c.releaseReads()
}

// releaseReads lets the reads go whose index was handed out.
func (c *Core) releaseReads() {
	if c.reads.index != 0 && c.reads.index <= c.handed {
		c.endReads(nil)
	}
}

func (c *Core) endReads(err error) {
	c.out.Commits = append(c.out.Commits, Commit{reads: c.reads.asked, err: err})
	c.reads.asked, c.reads.index = nil, 0
	c.askReads()
}

// dropReads ends all reads without an answer.
func (c *Core) dropReads() {
	all := append(c.reads.asked, c.reads.waiting...)
	c.reads = reads{last: c.reads.last}
	if len(all) > 0 {
		c.out.Commits = append(c.out.Commits, Commit{reads: all, err: replica.ErrLost})
	}
}

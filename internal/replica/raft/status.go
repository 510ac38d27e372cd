package raft

import (
	"fmt"
	"maps"
	"slices"
)

// Status is the state of one manager's replica.
type Status struct {
	// ID is the id of this incarnation of the log, in hexadecimal. It changes
	// when a manager loses its log; Addr does not.
	ID   string `json:"id"`
	Addr string `json:"addr"`
	Role string `json:"role"`
	Term uint64 `json:"term"`
	// Leader is the address of the leader, empty if none is known.
	Leader string `json:"leader"`
	// Commit is the index of the last decided entry, Applied of the last one
	// that was passed to the owner of the state, Last of the last one in the log,
	// First of the first that is kept.
	Commit  uint64 `json:"commit"`
	Applied uint64 `json:"applied"`
	Last    uint64 `json:"last"`
	First   uint64 `json:"first"`
	// SnapshotBytes is the size of the last snapshot, LogBytes the size of the
	// log since then.
	SnapshotBytes int `json:"snapshot_bytes"`
	LogBytes      int `json:"log_bytes"`
	// Admitted are the addresses that may join.
	Admitted []string `json:"admitted"`
	Members  []Member `json:"members"`
	// Problem is a fault that needs an operator, empty if there is none.
	Problem string `json:"problem,omitempty"`
}

// Member is a manager as another manager sees it.
type Member struct {
	ID   string `json:"id"`
	Addr string `json:"addr"`
	// Label is the label that it was started with.
	Label string `json:"label,omitempty"`
	// Voter reports whether it counts in a majority; a learner does not yet.
	Voter bool `json:"voter"`
	// Known reports whether the fields below are set, as on the leader.
	Known bool `json:"known"`
	// Match is the index of the last entry that it is known to have, Lag how many
	// entries it lacks, Active whether it was heard recently.
	Match  uint64 `json:"match"`
	Lag    uint64 `json:"lag"`
	Active bool   `json:"active"`
}

// Status returns the state of this replica.
func (c *Core) Status() Status {
	first, _ := c.store.FirstIndex()
	s := Status{
		ID: hexID(c.id), Addr: c.cfg.Addr, Role: c.role.Kind.String(), Term: c.role.Term, Leader: c.role.Leader,
		Commit: c.store.hard.GetCommit(), Applied: c.applied, Last: c.store.last(), First: first,
		SnapshotBytes: c.store.snapBytes, LogBytes: c.store.size,
		Admitted: slices.Clone(c.roster.admitted), Members: c.members(), Problem: c.bootstrap.problem,
	}
	if c.err != nil {
		s.Problem = c.err.Error()
	}
	return s
}

func (c *Core) members() []Member {
	var out []Member
	for _, id := range slices.Sorted(maps.Keys(c.roster.addrs)) {
		m := Member{ID: hexID(id), Addr: c.roster.addrs[id], Voter: isVoter(c.conf, id), Label: c.bootstrap.label(id)}
		if c.leader() == c.cfg.Addr {
			p := c.progress()[id]
			m.Known, m.Match, m.Active = true, p.Match, p.RecentActive || id == c.id
			m.Lag = c.store.last() - min(p.Match, c.store.last())
		}
		out = append(out, m)
	}
	return out
}

func hexID(id uint64) string { return fmt.Sprintf("%016x", id) }

package raft

import (
	etcd "go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"slices"
)

// election is when this manager campaigns next.
type election struct {
	silence int // ticks since the leader was heard, or a vote was given
	timeout int // of silence

	// fast is how many ticks are left in which the leader is known to be gone
	// and not just silent. wait is how many of them belong to others.
	fast, wait int
	gone       uint64 // who is known to be gone, while there is a fast election

	// asked is who asked last whether it would get a vote, and when.
	asked   *pb.Message
	askedAt int

	term uint64 // when silence began
	vote uint64
}

// quiet begins a new time-out: one to two times ElectionTicks, so that two
// managers seldom campaign together.
func (c *Core) quiet() {
	c.election.silence = 0
	c.election.timeout = c.cfg.ElectionTicks + c.rng.IntN(c.cfg.ElectionTicks)
}

func (c *Core) campaign() {
	c.quiet()
	if !isVoter(c.conf, c.id) {
		return
	}
	if err := c.rn.Campaign(); err != nil {
		c.log.Debug("no campaign", "err", err)
	}
}

// electionTick lets a tick pass for one who does not lead.
func (c *Core) electionTick() {
	e := &c.election
	e.silence++
	if e.fast > 0 {
		e.fast--
		c.fastElectionTick()
		return
	}
	if e.silence >= e.timeout {
		c.campaign()
	}
}

// fastElectionTick campaigns again every other tick, since the first request may have
// come before the others saw that the leader is gone. Who has voted for itself
// waits a little longer: its opponent, if there is one, must be able to win.
func (c *Core) fastElectionTick() {
	e := &c.election
	if e.wait > 0 {
		e.wait--
		return
	}
	again := 2
	if c.rn.BasicStatus().RaftState == etcd.StateCandidate {
		again = 2 + c.rng.IntN(c.cfg.ElectionTicks/2+1)
	}
	if e.silence >= again {
		c.campaign()
	}
}

// heardFrom notes that somebody leads, or may come to lead.
func (c *Core) heardFrom(m *pb.Message) {
	st := c.rn.BasicStatus()
	e := &c.election
	switch m.GetType() {
	case pb.MsgApp, pb.MsgHeartbeat, pb.MsgSnap:
		if st.Lead == m.GetFrom() {
			c.quiet()
			e.fast = 0
		}
	case pb.MsgPreVote:
		e.asked, e.askedAt = m, c.now
		c.overtake(m)
	}
	if st.GetTerm() != e.term || st.GetVote() != e.vote {
		e.term, e.vote = st.GetTerm(), st.GetVote()
		c.quiet()
	}
}

// overtake campaigns at once when somebody hurries to lead whose log is
// shorter, and who therefore cannot.
func (c *Core) overtake(m *pb.Message) {
	last, lastTerm := c.store.last(), c.store.lastTerm()
	shorter := m.GetLogTerm() < lastTerm || m.GetLogTerm() == lastTerm && m.GetIndex() < last
	if c.election.fast > 0 && c.election.wait > 0 && shorter {
		c.election.wait = 0
		c.campaign()
	}
}

// PeerGone tells that the manager at an address is gone: its connections
// closed, and it does not take new ones. If it led, a new leader is elected at
// once. Should this manager be wrong about it, nothing happens: those who still
// hear the leader do not vote for another one.
func (c *Core) PeerGone(addr string) {
	if c.rn == nil || c.err != nil {
		return
	}
	lead := c.rn.BasicStatus().Lead
	if lead == etcd.None || lead == c.id || c.roster.addrs[lead] != addr {
		return
	}
	c.log.Info("the leader is gone", "leader", addr)
	if err := c.rn.ForgetLeader(); err != nil {
		c.log.Debug("leader not forgotten", "err", err)
		return
	}
	c.election.gone = lead
	c.startFastElection(3 * c.rank(lead))
	c.askedBefore()
	c.pump()
}

// ghost reports whether a message is the last of a leader that is gone. Taken
// for a sign of incarnation, it would keep this manager from voting. Should the
// leader be there after all, it is heard again when the fast election ends.
func (c *Core) ghost(m *pb.Message) bool {
	if c.election.fast == 0 || m.GetFrom() != c.election.gone {
		return false
	}
	t := m.GetType()
	return t == pb.MsgApp || t == pb.MsgHeartbeat || t == pb.MsgSnap
}

// askedBefore answers one who saw earlier that the leader is gone, and was
// ignored for it.
func (c *Core) askedBefore() {
	m := c.election.asked
	if m == nil || c.now-c.election.askedAt > 3 || m.GetTerm() <= c.rn.BasicStatus().GetTerm() {
		return
	}
	c.election.asked = nil
	if err := c.rn.Step(m); err != nil {
		c.log.Debug("question not answered", "err", err)
	}
	c.overtake(m)
}

// startFastElection elects a leader at once, after a wait that lets others go first.
func (c *Core) startFastElection(wait int) {
	c.election.fast, c.election.wait = c.cfg.ElectionTicks, wait
	if wait == 0 {
		c.campaign()
	}
}

// rank is how many of the voters go first when the leader is gone, so that
// they do not split the votes.
func (c *Core) rank(gone uint64) int {
	voters := slices.Sorted(slices.Values(c.conf.GetVoters()))
	voters = slices.DeleteFunc(voters, func(id uint64) bool { return id == gone })
	return max(0, slices.Index(voters, c.id))
}

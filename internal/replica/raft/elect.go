package raft

import (
	etcd "go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"slices"
)

// election is when this manager campaigns next.
type election struct {
	core    *Core
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
func (e *election) restart() {
	e.silence = 0
	e.timeout = e.core.cfg.ElectionTicks + e.core.rng.IntN(e.core.cfg.ElectionTicks)
}

func (e *election) campaign() {
	e.restart()
	if !isVoter(e.core.conf, e.core.id) {
		return
	}
	if err := e.core.rn.Campaign(); err != nil {
		e.core.log.Debug("no campaign", "err", err)
	}
}

// electionTick lets a tick pass for one who does not lead.
func (e *election) tick() {
	e.silence++
	if e.fast > 0 {
		e.fast--
		e.fastTick()
		return
	}
	if e.silence >= e.timeout {
		e.campaign()
	}
}

// fastElectionTick campaigns again every other tick, since the first request may have
// come before the others saw that the leader is gone. Who has voted for itself
// waits a little longer: its opponent, if there is one, must be able to win.
func (e *election) fastTick() {
	if e.wait > 0 {
		e.wait--
		return
	}
	again := 2
	if e.core.rn.BasicStatus().RaftState == etcd.StateCandidate {
		again = 2 + e.core.rng.IntN(e.core.cfg.ElectionTicks/2+1)
	}
	if e.silence >= again {
		e.campaign()
	}
}

// heardFrom notes that somebody leads, or may come to lead.
func (e *election) onMessage(m *pb.Message) {
	st := e.core.rn.BasicStatus()
	switch m.GetType() {
	case pb.MsgApp, pb.MsgHeartbeat, pb.MsgSnap:
		if st.Lead == m.GetFrom() {
			e.restart()
			e.fast = 0
		}
	case pb.MsgPreVote:
		e.asked, e.askedAt = m, e.core.now
		e.overtake(m)
	}
	if st.GetTerm() != e.term || st.GetVote() != e.vote {
		e.term, e.vote = st.GetTerm(), st.GetVote()
		e.restart()
	}
}

// overtake campaigns at once when somebody hurries to lead whose log is
// shorter, and who therefore cannot.
func (e *election) overtake(m *pb.Message) {
	last, lastTerm := e.core.store.last(), e.core.store.lastTerm()
	shorter := m.GetLogTerm() < lastTerm || m.GetLogTerm() == lastTerm && m.GetIndex() < last
	if e.fast > 0 && e.wait > 0 && shorter {
		e.wait = 0
		e.campaign()
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
	c.election.startFast(3 * c.election.rank(lead))
	c.election.answerAsked()
	c.pump()
}

// ghost reports whether a message is the last of a leader that is gone. Taken
// for a sign of incarnation, it would keep this manager from voting. Should the
// leader be there after all, it is heard again when the fast election ends.
func (e *election) fromDeadLeader(m *pb.Message) bool {
	if e.fast == 0 || m.GetFrom() != e.gone {
		return false
	}
	t := m.GetType()
	return t == pb.MsgApp || t == pb.MsgHeartbeat || t == pb.MsgSnap
}

// askedBefore answers one who saw earlier that the leader is gone, and was
// ignored for it.
func (e *election) answerAsked() {
	m := e.asked
	if m == nil || e.core.now-e.askedAt > 3 || m.GetTerm() <= e.core.rn.BasicStatus().GetTerm() {
		return
	}
	e.asked = nil
	if err := e.core.rn.Step(m); err != nil {
		e.core.log.Debug("question not answered", "err", err)
	}
	e.overtake(m)
}

// startFastElection elects a leader at once, after a wait that lets others go first.
func (e *election) startFast(wait int) {
	e.fast, e.wait = e.core.cfg.ElectionTicks, wait
	if wait == 0 {
		e.campaign()
	}
}

// rank is how many of the voters go first when the leader is gone, so that
// they do not split the votes.
func (e *election) rank(gone uint64) int {
	voters := slices.Sorted(slices.Values(e.core.conf.GetVoters()))
	voters = slices.DeleteFunc(voters, func(id uint64) bool { return id == gone })
	return max(0, slices.Index(voters, e.core.id))
}

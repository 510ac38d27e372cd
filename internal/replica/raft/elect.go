package raft

import (
	etcd "go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"slices"
)

// election decides when this manager campaigns.
type election struct {
	core    *Core
	silence int // ticks since the last message of the leader, or the last vote
	timeout int // silence after which to campaign

	// fast is how many ticks a fast election lasts, in which the leader is known
	// to be gone. wait is how many of them are left to managers that go first.
	fast, wait int
	gone       uint64 // the leader that is gone, during a fast election

	// asked is the last request for a pre-vote, and askedAt its tick.
	asked   *pb.Message
	askedAt int

	term, vote uint64 // when silence began
}

// restart draws a new time-out of one to two times ElectionTicks, so that two
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
		e.core.log.Debug("campaign refused", "err", err)
	}
}

// tick advances the time of a manager that does not lead.
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

// fastTick campaigns every other tick, because the first request may have
// reached the others before they saw that the leader is gone. A candidate waits
// a little longer, so that an opponent can win.
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

// onMessage restarts the time-out for a message of the leader, or after a vote.
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

// overtake campaigns at once when another manager tries to become leader whose
// log is shorter, because that one cannot win.
func (e *election) overtake(m *pb.Message) {
	last, lastTerm := e.core.store.last(), e.core.store.lastTerm()
	shorter := m.GetLogTerm() < lastTerm || m.GetLogTerm() == lastTerm && m.GetIndex() < last
	if e.fast > 0 && e.wait > 0 && shorter {
		e.wait = 0
		e.campaign()
	}
}

// PeerGone reports that the manager at an address is gone: its connections
// closed and it refuses new ones. If it led, a new leader is elected at once.
// A wrong report does no harm: managers that still hear the leader do not vote
// for another one.
func (c *Core) PeerGone(addr string) {
	if c.rn == nil || c.err != nil {
		return
	}
	lead := c.rn.BasicStatus().Lead
	if lead == etcd.None || lead == c.id || c.roster.addrs[lead] != addr {
		return
	}
	c.log.Info("leader gone: starting a fast election", "leader", addr)
	if err := c.rn.ForgetLeader(); err != nil {
		c.log.Debug("cannot forget the leader", "err", err)
		return
	}
	c.election.gone = lead
	c.election.startFast(3 * c.election.rank(lead))
	c.election.answerAsked()
	c.pump()
}

// fromDeadLeader reports whether a message is a late one of a leader that is
// gone. As a sign of life it would keep this manager from voting. If the leader
// is alive after all, its messages count again after the fast election.
func (e *election) fromDeadLeader(m *pb.Message) bool {
	if e.fast == 0 || m.GetFrom() != e.gone {
		return false
	}
	t := m.GetType()
	return t == pb.MsgApp || t == pb.MsgHeartbeat || t == pb.MsgSnap
}

// answerAsked answers a manager that noticed earlier that the leader is gone,
// and whose request was ignored because this one still followed it.
func (e *election) answerAsked() {
	m := e.asked
	if m == nil || e.core.now-e.askedAt > 3 || m.GetTerm() <= e.core.rn.BasicStatus().GetTerm() {
		return
	}
	e.asked = nil
	if err := e.core.rn.Step(m); err != nil {
		e.core.log.Debug("pre-vote request refused", "err", err)
	}
	e.overtake(m)
}

// startFast starts a fast election, after a wait that lets others go first.
func (e *election) startFast(wait int) {
	e.fast, e.wait = e.core.cfg.ElectionTicks, wait
	if wait == 0 {
		e.campaign()
	}
}

// rank is the number of voters that campaign before this one when the leader is
// gone, so that they do not split the votes.
func (e *election) rank(gone uint64) int {
	voters := slices.Sorted(slices.Values(e.core.conf.GetVoters()))
	voters = slices.DeleteFunc(voters, func(id uint64) bool { return id == gone })
	return max(0, slices.Index(voters, e.core.id))
}

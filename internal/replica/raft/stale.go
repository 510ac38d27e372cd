package raft

import (
	"errors"
	"fmt"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
)

// ErrStaleLog stops a manager whose data directory has less than it acknowledged
// to the others.
var ErrStaleLog = errors.New("raft: the data directory is an older copy")

// staleLog is an ErrStaleLog that names the manager with the record and the fix.
type staleLog struct{ addr, by, why string }

func (e *staleLog) Error() string {
	return fmt.Sprintf("the data directory of the manager at %s is an older copy: %s, as the manager at %s knows. "+
		"It does not vote, since placements that were answered could be lost. Put the latest directory back, or empty this one "+
		"while a majority of the others runs: the manager then joins as a new member. To go back to old copies on purpose, "+
		"start all managers from them with --restored", e.addr, e.why, e.by)
}

func (e *staleLog) Unwrap() error { return ErrStaleLog }

// logCheck asks the other managers, when one starts from its directory, what it
// acknowledged to them. Until it ends the library does not run, so that the
// manager neither votes nor acknowledges anything.
type logCheck struct {
	core     *Core
	answered map[string]bool
	waited   int // ticks since a majority, with this manager, has answered
}

// checkPatience is how many election time-outs to wait for the rest once a
// majority has answered. A manager that is silent for longer may be gone for
// good, and the others must be able to continue without it.
const checkPatience = 5

// startCheck asks the others before the library starts. A single manager starts
// at once.
func (c *Core) startCheck() {
	check := &logCheck{core: c, answered: map[string]bool{}}
	if len(check.voters()) == 0 {
		c.begin()
		return
	}
	c.check = check
	check.ask()
}

// voters returns the addresses of the managers to ask: the other voters, or all
// that are configured if the log does not name any.
func (k *logCheck) voters() []string {
	var out []string
	for _, id := range slices.Concat(k.core.conf.GetVoters(), k.core.conf.GetVotersOutgoing()) {
		if addr, ok := k.core.roster.addrs[id]; ok && addr != k.core.cfg.Addr {
			out = append(out, addr)
		}
	}
	if len(out) == 0 && !isVoter(k.core.conf, k.core.id) {
		return k.core.others()
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ask asks those that have not answered.
func (k *logCheck) ask() {
	for _, addr := range k.voters() {
		if !k.answered[addr] {
			k.core.post(addr, Message{hello: &hello{id: k.core.id, label: k.core.cfg.Label, nonce: k.core.bootstrap.nonce}})
		}
	}
}

// tick asks again those that have not answered, and ends the check in time.
func (k *logCheck) tick() {
	if k.core.now%2 == 0 {
		k.ask()
	}
	if all := len(k.voters()) + 1; len(k.answered)+1 > all/2 {
		k.waited++
	}
	k.end()
}

// onAnswer handles an answer.
func (k *logCheck) onAnswer(m Message) {
	if m.ClusterID == k.core.roster.clusterID && !k.core.cfg.Restored {
		if why := k.core.store.behind(m.hello.known); why != "" {
			k.core.fail(&staleLog{addr: k.core.cfg.Addr, by: m.From, why: why})
			return
		}
	}
	k.answered[m.From] = true
	k.end()
}

// end starts the library if all have answered, or the time is up.
func (k *logCheck) end() {
	missing := len(k.voters()) - len(k.answered)
	patience := k.core.cfg.patience
	if patience == 0 {
		patience = checkPatience * k.core.cfg.ElectionTicks
	}
	if missing > 0 && k.waited < patience {
		return
	}
	if missing > 0 {
		k.core.log.Warn("some managers did not confirm that this data directory is the latest: starting anyway", "missing", missing)
	}
	k.core.check = nil
	k.core.begin()
	k.core.pump()
}

// behind describes what this manager had that this log lacks, "" if nothing. A
// later term in the log was reached after everything that was acknowledged in
// earlier ones.
func (l *memLog) behind(known ackRecord) string {
	hard := l.hard
	switch {
	case hard.GetTerm() > known.Term:
		return ""
	case hard.GetTerm() < known.Term:
		return fmt.Sprintf("it had reached term %d, and this is of term %d", known.Term, hard.GetTerm())
	case known.Vote != 0 && hard.GetVote() != known.Vote:
		return fmt.Sprintf("its vote in term %d is missing", known.Term)
	case known.Match > l.last():
		return fmt.Sprintf("it had acknowledged entry %d, and this ends at entry %d", known.Match, l.last())
	case known.MatchTerm != 0 && known.Match >= l.base:
		if term, _ := l.Term(known.Match); term != known.MatchTerm {
			return fmt.Sprintf("it had acknowledged entry %d of term %d, and this has another one", known.Match, known.MatchTerm)
		}
	}
	return ""
}

// lostEntries describes what a manager lost whose leader counts on more than it
// has, "" if nothing. Only an older copy of its directory explains that: the
// leader counts what was acknowledged, which was on the disk.
func lostEntries(m *pb.Message, term, last uint64) string {
	if m.GetType() != pb.MsgHeartbeat || m.GetCommit() <= last || m.GetTerm() < term {
		return ""
	}
	return fmt.Sprintf("it had acknowledged entry %d, and this ends at entry %d", m.GetCommit(), last)
}

package raft

import (
	"errors"
	"fmt"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
)

// ErrStaleLog is why a manager does not go on whose data directory is older
// than what the other managers know of it.
var ErrStaleLog = errors.New("raft: the data directory is an older copy")

// staleLog explains ErrStaleLog: it names the one who knows better and says
// what to do.
type staleLog struct{ addr, by, why string }

func (e *staleLog) Error() string {
	return fmt.Sprintf("the data directory of the manager at %s is an older copy: %s, as the manager at %s knows. "+
		"It does not vote, since placements that were answered could be lost. Put the latest directory back, or empty this one "+
		"while a majority of the others runs: the manager then joins as a new member. To go back to old copies on purpose, "+
		"start all managers from them with --restored", e.addr, e.why, e.by)
}

func (e *staleLog) Unwrap() error { return ErrStaleLog }

// logCheck is the question of a manager that starts from its directory: what
// do the others know of it? Until it is answered the library does not run, so
// that the manager neither votes nor acknowledges anything.
type logCheck struct {
	answered map[string]bool
	waited   int // ticks since a majority, with this manager, has answered
}

// checkPatience is how many election time-outs those that do not answer are
// waited for, once a majority has. Who is not heard by then may be gone for
// good, and the others must be able to go on without it.
const checkPatience = 5

// beginCheck asks the others before the library starts. A manager that is
// alone has nobody to ask.
func (c *Core) beginCheck() {
	if len(c.checkers()) == 0 {
		c.begin()
		return
	}
	c.check = &logCheck{answered: map[string]bool{}}
	c.askCheck()
}

// checkers are the addresses of those that may know what this manager has: the
// others that vote, or, where the log does not say, all that are configured.
func (c *Core) checkers() []string {
	var out []string
	for _, id := range slices.Concat(c.conf.GetVoters(), c.conf.GetVotersOutgoing()) {
		if addr, ok := c.roster.addrs[id]; ok && addr != c.cfg.Addr {
			out = append(out, addr)
		}
	}
	if len(out) == 0 && !isVoter(c.conf, c.id) {
		return c.others()
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *Core) askCheck() {
	for _, addr := range c.checkers() {
		if !c.check.answered[addr] {
			c.post(addr, Message{hello: &hello{id: c.id, label: c.cfg.Label, nonce: c.bootstrap.nonce}})
		}
	}
}

// checkTick asks again those that have not answered, and starts when there is
// no more to hear.
func (c *Core) checkTick() {
	if c.now%2 == 0 {
		c.askCheck()
	}
	if all := len(c.checkers()) + 1; len(c.check.answered)+1 > all/2 {
		c.check.waited++
	}
	c.endCheck()
}

// onCheck takes an answer.
func (c *Core) onCheck(m Message) {
	if m.ClusterID == c.roster.clusterID && !c.cfg.Restored {
		if why := c.behind(m.hello.known); why != "" {
			c.fail(&staleLog{addr: c.cfg.Addr, by: m.From, why: why})
			return
		}
	}
	c.check.answered[m.From] = true
	c.endCheck()
}

func (c *Core) endCheck() {
	missing := len(c.checkers()) - len(c.check.answered)
	patience := c.cfg.patience
	if patience == 0 {
		patience = checkPatience * c.cfg.ElectionTicks
	}
	if missing > 0 && c.check.waited < patience {
		return
	}
	if missing > 0 {
		c.log.Warn("starting without a word of some managers on whether this data directory is the latest", "missing", missing)
	}
	c.check = nil
	c.begin()
	c.pump()
}

// behind says what this manager had that its directory has not, "" if nothing
// is missing. A later term in the directory was reached after everything that
// was acknowledged in earlier ones.
func (c *Core) behind(known ackRecord) string {
	hard := c.store.hard
	switch {
	case hard.GetTerm() > known.Term:
		return ""
	case hard.GetTerm() < known.Term:
		return fmt.Sprintf("it had reached term %d, and this is of term %d", known.Term, hard.GetTerm())
	case known.Vote != 0 && hard.GetVote() != known.Vote:
		return fmt.Sprintf("its vote in term %d is missing", known.Term)
	case known.Match > c.store.last():
		return fmt.Sprintf("it had acknowledged entry %d, and this ends at entry %d", known.Match, c.store.last())
	case known.MatchTerm != 0 && known.Match >= c.store.base:
		if term, _ := c.store.Term(known.Match); term != known.MatchTerm {
			return fmt.Sprintf("it had acknowledged entry %d of term %d, and this has another one", known.Match, known.MatchTerm)
		}
	}
	return ""
}

// fromTheFuture reports whether the leader takes it that this manager has more
// than it has. Only an older copy of its directory explains that: the leader
// counts what was acknowledged, and that is on the disk.
func (c *Core) fromTheFuture(m *pb.Message) bool {
	return m.GetType() == pb.MsgHeartbeat && m.GetCommit() > c.store.last() && m.GetTerm() >= c.rn.BasicStatus().GetTerm()
}

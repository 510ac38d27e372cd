package agent

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// deepTrouble is after how many failures in a row an agent asks for no
	// more tasks.
	deepTrouble = 3
	// settleAfter is how long a node must have been ready to prove that nodes
	// can live here.
	settleAfter = 2 * time.Second
	// The n-th failure in a row is followed by a pause of firstPause * 2^(n-1),
	// at most longestPause, of which up to half is left out at random, so that
	// the agents of a fleet do not try in step. Shorter costs a machine that is
	// in trouble anyway; longer, time after it is well again.
	firstPause   = 100 * time.Millisecond
	longestPause = 30 * time.Second
)

// trouble is what an agent knows of nodes that fail at once.
type trouble struct {
	random *rand.Rand
	// failures are those in a row.
	failures int
	// retryAt is when the next node may be started.
	retryAt time.Time
}

func (t *trouble) failed(now time.Time) {
	t.failures++
	pause := min(firstPause<<min(t.failures-1, 16), longestPause)
	pause -= time.Duration(t.random.Int64N(int64(pause / 2)))
	t.retryAt = now.Add(pause)
}

// over is a node that lived.
func (t *trouble) over() { t.failures, t.retryAt = 0, time.Time{} }

func (t *trouble) deep() bool { return t.failures >= deepTrouble }

// Error says why there is no node.
func (t trouble) Error() string {
	return fmt.Sprintf("%d nodes in a row failed on starting", t.failures)
}

// available reports whether the agent can take a task. In trouble it can while
// an idle node is left that has proved itself. Where no nodes are started
// ahead, the next task is the next try.
func (p *pool) available() bool {
	switch {
	case p.draining:
		return false
	case !p.trouble.deep():
		return true
	case p.prerun() == 0:
		return !p.now.Before(p.trouble.retryAt)
	}
	return slices.ContainsFunc(p.nodes, func(n *node) bool { return n.idle() && n.settled })
}

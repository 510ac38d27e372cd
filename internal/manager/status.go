package manager

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// clusterStatus is the answer to status.
type clusterStatus struct {
	Cluster string `json:"cluster"`
	State   string `json:"state"`
	Version string `json:"version,omitempty"`
	// StaleMillis is how old the rest is while no manager leads.
	StaleMillis int64           `json:"stale_ms,omitempty"`
	Evictions   evictions       `json:"evictions"`
	Managers    []muster.Member `json:"managers"`
	Purposes    []state.Count   `json:"purposes"`
}

// evictions is whether silent workers are given up.
type evictions struct {
	State string `json:"state"`
	// Silent is how many workers are past their allowance, and kept.
	Silent int `json:"silent"`
}

// The states of evictions.
const (
	evictionsNormal    = "normal"
	evictionsPaced     = "paced"     // a few at a time, after one of the others
	evictionsTooMany   = "too-many"  // none: too many are silent at once
	evictionsNoLeader  = "no-quorum" // none: no leader
	evictionsQueueAway = "no-queue"  // none: no worker can be heard
)

// evictionStates are all of them.
var evictionStates = []string{evictionsNormal, evictionsPaced, evictionsTooMany, evictionsNoLeader, evictionsQueueAway}

func (c *core) evictions() evictions {
	held := c.alive.Held()
	switch {
	case !c.leads():
		return evictions{State: evictionsNoLeader}
	case !c.link.up():
		return evictions{State: evictionsQueueAway}
	case held > 0:
		return evictions{State: evictionsTooMany, Silent: held}
	case c.alive.Rechecking():
		return evictions{State: evictionsPaced, Silent: c.alive.Waiting()}
	}
	return evictions{State: evictionsNormal}
}

// statusTime bounds how long the managers are asked how they stand.
const statusTime = time.Second

func decodeStatus(*reader) action {
	return func(c *core, req *bus.Request) {
		c.lookUp(req, func(s *state.State) { c.status(req, s) })
	}
}

// status answers from a goroutine of its own: how the managers stand is known
// elsewhere.
func (c *core) status(req *bus.Request, s *state.State) {
	answer := clusterStatus{
		Cluster: c.opts.Cluster, State: c.phase(), Version: c.opts.Version,
		Evictions: c.evictions(), Managers: c.alone(), Purposes: orEmpty(s.Counts()),
	}
	leaderless := c.staleReads.on
	if leaderless {
		answer.StaleMillis = max(c.staleAge().Milliseconds(), 1)
	}
	if c.opts.Members == nil {
		req.Reply(answer)
		return
	}
	c.runAsync(req, func() {
		ctx, cancel := context.WithTimeout(context.Background(), statusTime)
		defer cancel()
		members, err := c.opts.Members(ctx)
		if err != nil {
			req.Fail("status: " + err.Error())
			return
		}
		if leaderless {
			for i := range members {
				members[i].Role = replica.Candidate.String()
			}
		}
		answer.Managers = orEmpty(members)
		req.Reply(answer)
	})
}

// runAsync runs f for a request, on a goroutine of its own.
func (c *core) runAsync(req *bus.Request, f func()) {
	c.out.async(func() { c.contain(req, req.Method, f) })
}

// alone is the members of a cluster that has one manager.
func (c *core) alone() []muster.Member {
	pid := os.Getpid()
	return []muster.Member{{
		ID: strconv.Itoa(pid), PID: pid, Version: c.opts.Version, Role: c.role.Kind.String(), Term: c.role.Term, Voter: true, Active: true,
	}}
}

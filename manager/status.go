package manager

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/state"
)

// clusterStatus is the answer to status.
type clusterStatus struct {
	Cluster  string          `json:"cluster"`
	State    string          `json:"state"`
	Version  string          `json:"version,omitempty"`
	Managers []muster.Member `json:"managers"`
	Purposes []state.Count   `json:"purposes"`
}

// statusTime bounds how long the managers are asked how they stand.
const statusTime = time.Second

// status answers from a goroutine of its own: how the managers stand is known
// elsewhere.
func (c *core) status(req *bus.Request, s *state.State) {
	answer := clusterStatus{
		Cluster: c.opts.Cluster, State: c.phase(), Version: c.opts.Version,
		Managers: c.alone(), Purposes: orEmpty(s.Counts()),
	}
	if c.opts.Members == nil {
		req.Reply(answer)
		return
	}
	c.asking.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), statusTime)
		defer cancel()
		members, err := c.opts.Members(ctx)
		if err != nil {
			req.Fail("status: " + err.Error())
			return
		}
		answer.Managers = orEmpty(members)
		req.Reply(answer)
	})
}

// alone is the members of a cluster that has one manager.
func (c *core) alone() []muster.Member {
	pid := os.Getpid()
	return []muster.Member{{
		ID: strconv.Itoa(pid), PID: pid, Role: c.role.Kind.String(), Term: c.role.Term, Voter: true, Active: true,
	}}
}

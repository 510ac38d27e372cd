package simtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// drainOrder is what a caller says in its role as an operator.
type drainOrder struct {
	Selector struct {
		Worker string `json:"worker,omitempty"`
		Region string `json:"region,omitempty"`
	} `json:"selector"`
	Force    bool               `json:"force"`
	Sticky   bool               `json:"sticky"`
	Deadline int                `json:"deadline_ms"`
	Policy   muster.DrainPolicy `json:"policy"`
	By       muster.Operator    `json:"by"`
}

// drainWorker drains some worker, and calls that off a while later.
func (c *simCaller) drainWorker() {
	s := c.sim
	c.drains++
	o := drainOrder{Force: true, Sticky: s.chance(300), Deadline: []int{0, 200, 1000}[s.rng.IntN(3)], By: muster.Operator{Name: fmt.Sprint(c.name, c.drains)}}
	o.Policy = muster.DrainPolicies[s.rng.IntN(len(muster.DrainPolicies))]
	o.Selector.Worker = s.workers[s.rng.IntN(len(s.workers))].id()
	c.order("drain", o, func(d muster.Drain) {
		s.truth.drains[d.ID] = d.State
		c.when(s.between(100*time.Millisecond, 1500*time.Millisecond), func() {
			c.order("undrain", map[string]any{"drain": d.ID}, func(d muster.Drain) { s.truth.drains[d.ID] = d.State })
		})
	})
}

// order sends an operator's order. done hears of one that was carried out.
func (c *simCaller) order(method string, order any, done func(muster.Drain)) {
	c.operate(method, []taskKey{{method, fmt.Sprint(order)}}, []any{order}, func(r bus.Reply, ok bool) {
		var d muster.Drain
		switch {
		case !ok:
		case !r.Failed && json.Unmarshal(r.Data, &d) == nil && d.ID > 0:
			done(d)
		case r.Failed && (unsettled(r) || strings.Contains(r.Err, "does NOT exist")):
		case method == "undrain" && r.Err == muster.ReasonNoDrain.Text && c.sim.mayForget:
		default:
			c.sim.failf("%s: %s %v is answered %s%s", c.name, method, order, r.Err, r.Data)
		}
	})
}

// judgeDrains checks that the leader in the end has every drain that was answered, and
// that none is in force that was called off.
func (s *Sim) judgeDrains() {
	lead := s.leader()
	if lead == nil || s.mayForget {
		return
	}
	for id, answered := range s.truth.drains {
		d, ok := lead.link.State().DrainByID(id)
		switch {
		case !ok:
			s.failf("drain %d was answered, and %s knows none", id, lead.name)
		case !answered.IsActive() && d.State.IsActive():
			s.failf("drain %d was called off, and is %s at %s", id, d.State, lead.name)
		}
	}
}

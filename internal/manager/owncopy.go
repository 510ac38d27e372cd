package manager

import (
	"context"
	"errors"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// ErrNoLeader is why a manager is not ready: it neither leads nor follows a leader, at
// its start, in an election, or cut off from the others.
var ErrNoLeader = errors.New("this manager knows no leader: it is cut off from the other managers, or has not joined them")

// Ready returns why tasks cannot be placed through this manager, as far as it is its
// own fault.
func (m *Manager) Ready(ctx context.Context) error {
	known := false
	if err := m.callOwner(ctx, func(c *core) { known = c.role.Kind != replica.Candidate }); err != nil {
		return err
	}
	if !known {
		return ErrNoLeader
	}
	return nil
}

// ReadOwn answers a look-up from the copy of a follower, which the leader has vouched
// for since the call: everything that any manager answered before is in it. It reports
// false where the question must go to the leader: for a method whose answer is not in
// the state alone, and while no leader confirms that the copy is up to date.
func (m *Manager) ReadOwn(ctx context.Context, name string, args bus.Args) (reply bus.Reply, ok bool) {
	method := methods[name]
	if method.query == nil {
		return reply, false
	}
	r := reader{method: name, args: args}
	query := method.query(&r)
	if r.err != nil {
		return bus.Reply{Failed: true, Err: r.err.Error()}, true
	}
	answered := make(chan bus.Reply, 1)
	refused := make(chan struct{}, 1)
	req := bus.NewRequest(bus.Call{Method: name, Args: args, Codes: true}, func(r bus.Reply) { answered <- r })
	err := m.callOwner(ctx, func(c *core) {
		if c.role.Kind != replica.Follower {
			refused <- struct{}{}
			return
		}
		c.replica.Read(func(s *state.State, err error) {
			if err != nil {
				refused <- struct{}{}
				return
			}
			c.guard(req, "answer", func() { answerQuery(c, req, s, query) })
		})
	})
	if err != nil {
		return reply, false
	}
	select {
	case reply = <-answered:
		m.core.measures.ownReads.Inc()
		return reply, true
	case <-refused:
	case <-ctx.Done():
	case <-m.ended:
	}
	return reply, false
}

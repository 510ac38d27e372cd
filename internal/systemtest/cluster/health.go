package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/muster-fleet/muster"
)

const (
	// askTime bounds one question how the managers stand: a manager that died
	// with it does not answer.
	askTime = 300 * time.Millisecond
	// askEvery is how often that is asked while something is awaited.
	askEvery = 20 * time.Millisecond
	// maxLag is how many entries of the log a manager may be behind that is
	// taken for caught up: under load it is never at the very end.
	maxLag = 64
)

// Members are the managers as the leader sees them.
func (c *Cluster) Members(ctx context.Context) ([]muster.Member, error) {
	raw, err := c.call(ctx, "status")
	if err != nil {
		return nil, err
	}
	var status struct {
		Managers []muster.Member `json:"managers"`
	}
	if err := json.Unmarshal(raw, &status); err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	return status.Managers, nil
}

// Leader is the place of the manager that leads. One that led, and does not
// know yet that it does not, is not taken for it.
func (c *Cluster) Leader(ctx context.Context) (*Manager, error) {
	members, err := c.Members(ctx)
	if err != nil {
		return nil, err
	}
	return c.leaderOf(members)
}

func (c *Cluster) leaderOf(members []muster.Member) (*Manager, error) {
	for _, member := range members {
		m := c.at(member)
		if member.Role != "leader" || m == nil || member.PID != m.Process.PID {
			continue
		}
		if member.Term < c.term {
			return nil, fmt.Errorf("the answer is of term %d, after %d was seen", member.Term, c.term)
		}
		c.term = member.Term
		return m, nil
	}
	return nil, fmt.Errorf("no leader: %+v", members)
}

// AwaitLeader waits until a manager leads that is not the one given, which may
// be nil.
func (c *Cluster) AwaitLeader(ctx context.Context, other *Manager) (*Manager, error) {
	var leader *Manager
	err := c.await(ctx, "a new leader", func() (err error) {
		leader, err = c.Leader(ctx)
		if err == nil && leader == other {
			err = fmt.Errorf("it is still %s", other.Addr)
		}
		return err
	})
	return leader, err
}

// AwaitHealth waits until one manager leads, and every process that runs is in
// its place, has a vote, was heard lately, and has caught up.
func (c *Cluster) AwaitHealth(ctx context.Context) error {
	return c.await(ctx, "healthy managers", func() error { return c.health(ctx) })
}

func (c *Cluster) health(ctx context.Context) error {
	for _, m := range c.managers {
		select {
		case <-m.Process.Gone:
			return fmt.Errorf("the manager at %s ended: %s", m.Addr, m.Process.cmd.ProcessState)
		default:
		}
	}
	members, err := c.Members(ctx)
	if err != nil {
		return err
	}
	if _, err := c.leaderOf(members); err != nil {
		return err
	}
	if c.opts.Replica != "" {
		return nil
	}
	if len(members) != len(c.managers) {
		return fmt.Errorf("%d managers are known instead of %d", len(members), len(c.managers))
	}
	for _, member := range members {
		m := c.at(member)
		if m == nil || member.PID != m.Process.PID || !member.Voter || !member.Active || member.Lag > maxLag {
			return fmt.Errorf("not well: %+v", member)
		}
	}
	return nil
}

// await asks again and again until the answer is nil.
func (c *Cluster) await(ctx context.Context, what string, ask func() error) error {
	again := time.NewTicker(askEvery)
	defer again.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("cluster: waiting for %s: %w; last: %w", what, ctx.Err(), err)
		}
	}
}

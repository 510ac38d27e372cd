package client

import (
	"context"

	"github.com/muster-fleet/muster"
)

// AddManager lets a manager join the cluster at an address, host:port as the
// others reach it, and returns how the managers stand. The newcomer votes when
// it runs and has the state: ask again until it does, which is harmless.
func (c *Client) AddManager(ctx context.Context, addr string) ([]muster.Member, error) {
	var members []muster.Member
	err := c.ask(ctx, &members, "addManager", addr, map[string]any{"by": c.opts.Operator})
	return members, err
}

// RemoveManager takes the manager at an address out of the cluster, and returns
// how the managers stand; ask again until it is gone, which is harmless. It is
// refused where those that stay and are heard would be no majority, unless
// force is set.
func (c *Client) RemoveManager(ctx context.Context, addr string, force bool) ([]muster.Member, error) {
	var members []muster.Member
	err := c.ask(ctx, &members, "removeManager", addr, map[string]any{"force": force, "by": c.opts.Operator})
	return members, err
}

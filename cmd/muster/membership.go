package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica/raft"
)

// membership changes the managers of a cluster through its leader.
type membership struct{ replica *raft.Replica }

// Add implements manager.Membership.
func (m membership) Add(ctx context.Context, addr string) error { return m.replica.Add(ctx, addr) }

// Remove implements manager.Membership.
func (m membership) Remove(ctx context.Context, addr string, force bool) error {
	s, err := m.replica.Status(ctx)
	if err != nil {
		return err
	}
	if err := s.CheckRemoval(addr); err != nil && !force {
		return err
	}
	return m.replica.Remove(ctx, addr)
}

// lookTime is how long a manager that starts waits for a sign of the cluster
// that may be there.
const lookTime = 300 * time.Millisecond

// errOtherCluster is why a manager does not start that would form a second
// cluster beside the one that serves the name.
var errOtherCluster = errors.New("other managers serve this cluster already")

const endFirst = "end them first, or choose another name with --cluster"

// lookAround asks who serves the cluster's name before this manager looks for
// its peers. Managers of which none is among the peers are another cluster, and
// two on one queue would each get half of the calls.
func (h *host) lookAround(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	raw, err := h.conn.Call(ctx, h.cfg.Manager.Name, "status")
	var refused *bus.RemoteError
	switch {
	case errors.As(err, &refused) && refused.Error() == bus.MethodUnknown:
		return fmt.Errorf("%w, and not by Raft: %s", errOtherCluster, endFirst)
	case err != nil:
		return nil // nobody answers, or not for a status: the peers will say who they are
	}
	var status struct{ Managers []muster.Member }
	if err := json.Unmarshal(raw, &status); err != nil {
		return nil
	}
	return h.compare(status.Managers)
}

// compare looks whether the managers that serve are those that this one is to
// work with.
func (h *host) compare(serving []muster.Member) error {
	if len(serving) > 0 && serving[0].Addr == "" {
		return fmt.Errorf("%w, and not by Raft: %s", errOtherCluster, endFirst)
	}
	own, there := h.cfg.Raft.Addr, addresses(serving)
	known := func(addr string) bool { return addr == own || slices.Contains(h.cfg.Raft.PeerList(), addr) }
	if !slices.ContainsFunc(there, known) {
		return fmt.Errorf("%w: %s, none of which is among raft.peers (%s): to join them write --peers %s, to form another cluster choose another name with --cluster",
			errOtherCluster, strings.Join(there, ", "), h.cfg.Raft.Peers, strings.Join(there, ","))
	}
	if !slices.Contains(there, own) {
		h.log.Warn("this manager is not among those of the cluster yet: let it in with `muster managers add "+own+"`", "managers", strings.Join(there, ","))
	}
	return nil
}

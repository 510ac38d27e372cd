package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/replica/owt"
	"github.com/muster-fleet/muster/internal/replica/raft"
)

// cohort is this manager's part in a cluster of several.
type cohort struct {
	replica.Replica
	// members lists the managers with their state; nil where that is unknown.
	members func(context.Context) ([]muster.Member, error)
	// membership changes who they are; nil where that cannot be done.
	membership manager.Membership
	// leads reports whether this manager leads; nil where it looks after itself.
	leads func(context.Context) bool
	// handOver gives the lead to another manager, if this one has it.
	handOver func(context.Context) error
	// ended is closed when it has ended by itself, which err explains; nil
	// where it never does.
	ended <-chan struct{}
	err   func() error
	close func() error
}

// joinCohort starts this manager's part in a cluster of several. It is nil where
// the manager is alone.
func (h *Host) joinCohort(ctx context.Context) (*cohort, error) {
	switch {
	case h.opts.OWT:
		return h.startOWT(ctx)
	case h.opts.Raft != nil:
		return h.startRaft(ctx)
	}
	return nil, nil
}

func (h *Host) startOWT(ctx context.Context) (*cohort, error) {
	r, err := owt.Open(ctx, owt.Options{
		Conn: h.opts.Conn, Cluster: h.opts.Manager.Cluster, Placement: h.opts.Manager.Placement, Logger: h.log,
	})
	if err != nil {
		return nil, err
	}
	c := &cohort{Replica: r, handOver: r.Retire, close: r.Close}
	if n := h.neighbours; n != nil {
		c.ended, c.err = n.ended, func() error { return n.err }
	}
	return c, nil
}

func (h *Host) startRaft(ctx context.Context) (*cohort, error) {
	if err := h.lookAround(ctx); err != nil {
		return nil, err
	}
	opts := *h.opts.Raft
	opts.Cluster, opts.Placement, opts.Logger = h.opts.Manager.Cluster, h.opts.Manager.Placement, h.log
	opts.Label = memberLabel(os.Getpid(), h.opts.Manager.Version)
	rep, err := raft.Start(opts)
	if err != nil {
		return nil, err
	}
	return &cohort{Replica: rep, members: members(rep), membership: membership{rep}, leads: leading(rep), handOver: rep.Transfer,
		ended: rep.Done(), err: func() error { return fmt.Errorf("the managers' log: %w", rep.Err()) }, close: rep.Close}, nil
}

// leading reports whether the manager of a replica leads.
func leading(rep *raft.Replica) func(context.Context) bool {
	return func(ctx context.Context) bool {
		s, err := rep.Status(ctx)
		return err == nil && s.Role == replica.Leader.String()
	}
}

// membership changes the managers of a cluster through its leader.
type membership struct{ replica *raft.Replica }

// Add implements manager.Membership.
func (m membership) Add(ctx context.Context, addr string) error { return m.replica.Add(ctx, addr) }

// Remove implements manager.Membership.
func (m membership) Remove(ctx context.Context, addr string, force bool) error {
	if !force {
		if err := m.replica.CheckRemoval(ctx, addr); err != nil {
			return err
		}
	}
	return m.replica.Remove(ctx, addr)
}

// lookTime is how long a manager that starts waits for a sign of the cluster
// that may be there.
const lookTime = 300 * time.Millisecond

// ErrOtherCluster is wrapped by the error of a manager that would form a second
// cluster beside the one that serves the name.
var ErrOtherCluster = errors.New("other managers serve this cluster already")

const endFirst = "end them first, or choose another name with --cluster"

// lookAround asks who serves the cluster's name before this manager looks for
// its peers. Managers of which none is among the peers are another cluster, and
// two on one queue would each get half of the calls.
func (h *Host) lookAround(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	raw, err := h.opts.Conn.Call(ctx, h.opts.Manager.Cluster, "status")
	switch {
	case errors.Is(err, muster.ReasonUnsupported):
		return fmt.Errorf("%w, and not by Raft: %s", ErrOtherCluster, endFirst)
	case err != nil:
		return nil // no answer, or none with a status: the peers will say who they are
	}
	var status struct{ Managers []muster.Member }
	if err := json.Unmarshal(raw, &status); err != nil {
		return nil
	}
	return h.compare(status.Managers)
}

// compare looks whether the managers that serve are those that this one is to
// work with.
func (h *Host) compare(serving []muster.Member) error {
	if len(serving) > 0 && serving[0].Addr == "" {
		return fmt.Errorf("%w, and not by Raft: %s", ErrOtherCluster, endFirst)
	}
	own, peers := h.opts.Raft.Addr, h.opts.Raft.Peers
	var there []string
	for _, m := range serving {
		there = append(there, cmp.Or(m.Addr, m.ID))
	}
	known := func(addr string) bool { return addr == own || slices.Contains(peers, addr) }
	if !slices.ContainsFunc(there, known) {
		return fmt.Errorf("%w: %s, none of which is among raft.peers (%s): to join them write --peers %s, to form another cluster choose another name with --cluster",
			ErrOtherCluster, strings.Join(there, ", "), strings.Join(peers, ","), strings.Join(there, ","))
	}
	if !slices.Contains(there, own) {
		h.log.Warn("this manager is not among those of the cluster yet: let it in with `muster managers add "+own+"`", "managers", strings.Join(there, ","))
	}
	return nil
}

// memberLabel is what the other managers show of this one: its process and its
// version.
func memberLabel(pid int, version string) string { return fmt.Sprintf("%d %s", pid, version) }

// parseLabel reads a label: zeros where it is not known yet.
func parseLabel(label string) (pid int, version string) {
	number, version, _ := strings.Cut(label, " ")
	pid, _ = strconv.Atoi(number)
	return pid, version
}

// members lists the managers with their state, as this one sees them.
func members(rep *raft.Replica) func(context.Context) ([]muster.Member, error) {
	return func(ctx context.Context) ([]muster.Member, error) {
		s, err := rep.Status(ctx)
		if err != nil {
			return nil, err
		}
		var out []muster.Member
		for _, m := range s.Members {
			pid, version := parseLabel(m.Label)
			role := replica.Follower
			if m.Addr == s.Leader {
				role = replica.Leader
			}
			out = append(out, muster.Member{
				ID: m.ID, Addr: m.Addr, PID: pid, Version: version, Role: role.String(), Term: s.Term,
				Index: m.Match, Lag: m.Lag, Voter: m.Voter, Active: m.Active,
			})
		}
		return out, nil
	}
}

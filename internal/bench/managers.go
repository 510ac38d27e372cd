package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/bench/testbed"
	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/replica/raft"
	"github.com/muster-fleet/muster/internal/state"
)

// debit is small, so that what is placed within a reserve time never fills the
// fleet: it is the manager that is measured, not the fleet's room.
const debit = 1e-6

func (r *rig) managerOptions() manager.Options {
	o := manager.DefaultOptions()
	o.Cluster = r.opts.Cluster
	o.InitialTime = 0
	o.Logger = r.opts.Logger
	o.Placement.Strategies = map[string]muster.Strategy{testbed.Purpose: muster.LeastUsed}
	o.Placement.Debit = state.Debit{Mode: state.DebitFixed, Fixed: debit}
	return o
}

// startManagers starts one manager, or several that agree by Raft, all of them
// in this process.
func (r *rig) startManagers(ctx context.Context) error {
	if r.opts.Managers == 1 {
		return r.startManager(ctx, "manager", r.managerOptions())
	}
	replicas, err := r.startReplicas()
	if err != nil {
		return err
	}
	for i, replica := range replicas {
		o := r.managerOptions()
		o.Replica = replica
		if err := r.startManager(ctx, fmt.Sprint("manager-", i+1), o); err != nil {
			return err
		}
	}
	_, err = replicas[0].Await(ctx, func(s raft.Status) bool { return s.Leader != "" && len(s.Members) == len(replicas) })
	return err
}

func (r *rig) startManager(ctx context.Context, who string, o manager.Options) error {
	conn, err := r.dial(ctx, who)
	if err != nil {
		return err
	}
	m, err := manager.Start(ctx, conn, o)
	if err != nil {
		return fmt.Errorf("start the %s: %w", who, err)
	}
	r.stops = append(r.stops, func() { _ = m.Close() })
	return nil
}

// startReplicas starts the managers' replicas, with their logs in memory.
func (r *rig) startReplicas() ([]*raft.Replica, error) {
	var listeners []net.Listener
	var peers []string
	for range r.opts.Managers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		r.stops = append(r.stops, func() { _ = l.Close() })
		listeners, peers = append(listeners, l), append(peers, l.Addr().String())
	}
	secret := []byte(rand.Text())
	var replicas []*raft.Replica
	for i, l := range listeners {
		o := raft.DefaultOptions()
		o.Cluster, o.Addr, o.Peers, o.Listener = r.opts.Cluster, peers[i], peers, l
		o.Secret, o.Placement, o.Logger = secret, r.managerOptions().Placement, r.opts.Logger
		replica, err := raft.Start(o)
		if err != nil {
			return nil, err
		}
		r.stops = append(r.stops, func() { _ = replica.Close() })
		replicas = append(replicas, replica)
	}
	return replicas, nil
}

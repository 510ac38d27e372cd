package portal

import (
	"net"

	"github.com/muster-fleet/muster/internal/manager"
	"github.com/muster-fleet/muster/internal/replica/raft"
)

// oneOfManagers is a manager among several.
type oneOfManagers struct {
	addr    string
	replica *raft.Replica
	manager *manager.Manager
}

// manage starts a manager, alone or with a replica.
func (h *house) manage(replica *raft.Replica) *manager.Manager {
	h.t.Helper()
	o := manager.DefaultOptions()
	o.InitialTime = 0
	if replica != nil {
		o.Replica = replica
	}
	m, err := manager.Start(h.ctx, h.dial(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = m.Close() })
	return m
}

// manageTogether starts managers that agree by Raft.
func (h *house) manageTogether(n int) {
	h.t.Helper()
	var listeners []net.Listener
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			h.t.Fatal(err)
		}
		listeners, addrs = append(listeners, l), append(addrs, l.Addr().String())
	}
	for i, l := range listeners {
		o := raft.DefaultOptions()
		o.Addr, o.Peers, o.Listener, o.Secret = addrs[i], addrs, l, []byte("sixteen bytes and more")
		replica, err := raft.Start(o)
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { _ = replica.Close() })
		h.managers = append(h.managers, &oneOfManagers{addrs[i], replica, h.manage(replica)})
	}
	h.awaitLeader()
}

// awaitLeader waits until those managers that are left have a leader among them.
func (h *house) awaitLeader() *oneOfManagers {
	h.t.Helper()
	var leader *oneOfManagers
	h.until("the managers have no leader", func() bool {
		for _, m := range h.managers {
			s, err := m.replica.Status(h.ctx)
			if err == nil && s.Leader == m.addr && len(s.Members) >= len(h.managers) {
				leader = m
			}
		}
		return leader != nil
	})
	return leader
}

// killLeader ends the leader without a word to the others, and waits until
// another leads.
func (h *house) killLeader() {
	h.t.Helper()
	leader := h.awaitLeader()
	var others []*oneOfManagers
	for _, m := range h.managers {
		if m != leader {
			others = append(others, m)
		}
	}
	h.managers = others
	_ = leader.replica.Close()
	_ = leader.manager.Close()
	h.awaitLeader()
}

package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

// leaderServer serves the cluster's name on the message queue. A single manager
// serves it directly. One of several joins a group of which the leader serves,
// so that a request that a leader received and did not answer goes to the next.
type leaderServer struct {
	conn    bus.Conn
	cluster string
	handler bus.Handler
	log     *slog.Logger
	service bus.Service
	member  bus.GroupMember // the same of one of several managers, else nil

	// wanted holds the role that the group does not know yet.
	wanted chan replica.Role
}

// maxRequest is the longest request that is read: one within muster.MaxBody, and
// what the queue adds to it.
const maxRequest = muster.MaxBody + 64<<10

// againAfter is the delay before a failed announcement is retried.
const againAfter = 20 * time.Millisecond

func newLeaderServer(conn bus.Conn, cluster string, h bus.Handler, log *slog.Logger) *leaderServer {
	return &leaderServer{conn: conn, cluster: cluster, handler: h, log: log, wanted: make(chan replica.Role, 1)}
}

// open starts to serve: always for a single manager, as leader otherwise.
func (s *leaderServer) open(ctx context.Context, alone bool) error {
	ctx = bus.LimitRequests(ctx, maxRequest)
	var err error
	if alone {
		s.service, err = s.conn.Serve(ctx, s.cluster, s.handler)
	} else {
		s.member, err = s.conn.JoinGroup(ctx, s.cluster, s.handler)
		s.service = s.member
	}
	if err != nil {
		return fmt.Errorf("manager: serve %s: %w", s.cluster, err)
	}
	return nil
}

// setRole announces the role to the group, without blocking.
func (s *leaderServer) setRole(role replica.Role) {
	select {
	case <-s.wanted:
	default:
	}
	s.wanted <- role
}

// run announces each role to the group until ctx ends.
func (s *leaderServer) run(ctx context.Context) {
	again := time.NewTimer(0)
	again.Stop()
	var role replica.Role
	for s.member != nil {
		select {
		case <-ctx.Done():
			return
		case role = <-s.wanted:
		case <-again.C:
		}
		err := s.announce(ctx, role)
		if errors.Is(err, bus.ErrClosed) {
			return
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("role not announced to the message queue, retrying", "role", role.Kind.String(), "err", err)
			again.Reset(againAfter)
		}
	}
}

func (s *leaderServer) announce(ctx context.Context, role replica.Role) error {
	if role.Kind == replica.Leader {
		return s.member.Lead(ctx, role.Term)
	}
	return s.member.Follow(ctx)
}

// close stops serving.
func (s *leaderServer) close() error { return s.service.Close() }

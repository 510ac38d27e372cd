package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
)

// office is where the leader takes requests: the server of the cluster's name.
// A manager that is alone serves it; several stand for it in turn, so that what
// a leader received and did not answer goes to the next one.
type leaderServer struct {
	conn    bus.Conn
	cluster string
	handler bus.Handler
	log     *slog.Logger
	service bus.Service     // of a manager that is alone
	member  bus.GroupMember // of one of several

	// wanted holds the role that the member has not been told of yet.
	wanted chan replica.Role
}

// againAfter is when a member is told again that could not be told.
const againAfter = 20 * time.Millisecond

func newLeaderServer(conn bus.Conn, cluster string, h bus.Handler, log *slog.Logger) *leaderServer {
	return &leaderServer{conn: conn, cluster: cluster, handler: h, log: log, wanted: make(chan replica.Role, 1)}
}

// open takes requests from now on, as far as the role has it.
func (s *leaderServer) open(ctx context.Context, alone bool) error {
	var err error
	if alone {
		s.service, err = s.conn.Serve(ctx, s.cluster, s.handler)
	} else {
		s.member, err = s.conn.JoinGroup(ctx, s.cluster, s.handler)
	}
	if err != nil {
		return fmt.Errorf("manager: serve %s: %w", s.cluster, err)
	}
	return nil
}

// take tells the role, and does not wait.
func (s *leaderServer) setRole(role replica.Role) {
	select {
	case <-s.wanted:
	default:
	}
	s.wanted <- role
}

// run tells the member of each role, until ctx is over.
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
			s.log.Warn("the message queue does not know yet who leads", "role", role.Kind.String(), "err", err)
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

// close takes no more requests.
func (s *leaderServer) close() error {
	if s.member != nil {
		return s.member.Close()
	}
	return s.service.Close()
}

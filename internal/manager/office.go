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
type office struct {
	conn    bus.Conn
	cluster string
	handler bus.Handler
	log     *slog.Logger
	service bus.Service     // of a manager that is alone
	post    bus.GroupMember // of one of several

	// wanted holds the role that the post has not been told of yet.
	wanted chan replica.Role
}

// againAfter is when a post is told again that could not be told.
const againAfter = 20 * time.Millisecond

func newOffice(conn bus.Conn, cluster string, h bus.Handler, log *slog.Logger) *office {
	return &office{conn: conn, cluster: cluster, handler: h, log: log, wanted: make(chan replica.Role, 1)}
}

// open takes requests from now on, as far as the role has it.
func (o *office) open(ctx context.Context, alone bool) error {
	var err error
	if alone {
		o.service, err = o.conn.Serve(ctx, o.cluster, o.handler)
	} else {
		o.post, err = o.conn.JoinGroup(ctx, o.cluster, o.handler)
	}
	if err != nil {
		return fmt.Errorf("manager: serve %s: %w", o.cluster, err)
	}
	return nil
}

// take tells the role, and does not wait.
func (o *office) take(role replica.Role) {
	select {
	case <-o.wanted:
	default:
	}
	o.wanted <- role
}

// run tells the post of each role, until ctx is over.
func (o *office) run(ctx context.Context) {
	again := time.NewTimer(0)
	again.Stop()
	var role replica.Role
	for o.post != nil {
		select {
		case <-ctx.Done():
			return
		case role = <-o.wanted:
		case <-again.C:
		}
		err := o.tell(ctx, role)
		if errors.Is(err, bus.ErrClosed) {
			return
		}
		if err != nil && ctx.Err() == nil {
			o.log.Warn("the message queue does not know yet who leads", "role", role.Kind.String(), "err", err)
			again.Reset(againAfter)
		}
	}
}

func (o *office) tell(ctx context.Context, role replica.Role) error {
	if role.Kind == replica.Leader {
		return o.post.Lead(ctx, role.Term)
	}
	return o.post.Follow(ctx)
}

// close takes no more requests.
func (o *office) close() error {
	if o.post != nil {
		return o.post.Close()
	}
	return o.service.Close()
}

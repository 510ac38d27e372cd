package systemtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// A request that the log cannot take gets a final answer. It unseats no leader,
// neither at once nor because the queue delivers it again and again, and nobody
// else waits.
func TestTooLargeRequestsUnseatNobody(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{fleet: 1})
		before := r.term()
		var many []string
		for i := range muster.MaxTasks {
			many = append(many, fmt.Sprintf("task-%085d", i))
		}
		for _, size := range []int{muster.MaxBody - 100, muster.MaxBody + 1, 4 << 20, 7 << 20} {
			text := strings.Repeat("x", size)
			for _, request := range []struct {
				method string
				args   []any
			}{
				{"schedule", []any{purpose, text, nil, 1000}},
				{"schedule", []any{purpose, "large", map[string]string{"isp": text}, 1000}},
				{"join", []any{purpose, "large", map[string]string{"info": text}}},
				{"pickUpTasks", []any{"large", []string{text}}},
				{"pickUpTasks", []any{"large", many}},
			} {
				r.answersForGood(request.method, request.args...)
			}
		}
		r.calm()
		if now := r.term(); now != before {
			t.Errorf("the term was %d, and is %d", before, now)
		}
		r.verify()
	})
}

// term is that of the manager that leads.
func (r *rig) term() uint64 {
	r.Helper()
	leader := r.leader()
	members, err := r.Members(r.ctx)
	r.must(err)
	for _, m := range members {
		if m.Addr == leader.Addr {
			return m.Term
		}
	}
	r.Fatalf("%s leads, and is not among %+v", leader.Addr, members)
	return 0
}

// answersForGood makes a call as a program of OWT does, once, and wants an answer
// after which it does not ask again.
func (r *rig) answersForGood(method string, args ...any) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	_, err := r.conn.Call(ctx, r.name, method, args...)
	var refused *bus.RemoteError
	if err != nil && !errors.As(err, &refused) || refused != nil && refused.Reason == muster.ReasonAskAgain.Text {
		r.Errorf("%s: %v; want it done or refused for good", method, err)
	}
}

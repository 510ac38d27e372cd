package bustest

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
)

// limitedBodies: requests that are longer than a server takes are refused without
// being read, and the others arrive.
func limitedBodies(t *testing.T, b Broker) {
	const limit = 100 << 10
	server := named(t, "s")
	c := dial(t, b)
	ctx := bus.LimitRequests(within(t), limit)
	if _, err := c.Serve(ctx, server, echo); err != nil {
		t.Fatal(err)
	}
	refusedAsTooLarge(t, c, server, limit)

	member, group := dial(t, b), named(t, "g")
	m, err := member.JoinGroup(ctx, group, echo)
	if err == nil {
		err = m.Lead(ctx, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	refusedAsTooLarge(t, c, group, limit)
}

func refusedAsTooLarge(t *testing.T, c bus.Conn, server string, limit int) {
	t.Helper()
	for range 3 {
		for _, size := range []int{limit / 2, limit + 1, 10 * limit} {
			text := strings.Repeat("x", size)
			if size < limit {
				wantJSON(t, mustCall(t, c, server, "echo", text), text)
				continue
			}
			_, err := c.Call(within(t), server, "echo", text)
			var refused *bus.RemoteError
			if !errors.As(err, &refused) || !strings.Contains(refused.Reason, "must not have more than") {
				t.Errorf("%s: %d bytes, %d are taken: %v", server, size, limit, err)
			}
		}
	}
}

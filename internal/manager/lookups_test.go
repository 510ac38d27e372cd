package manager

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// readCounter counts the reads of a replica.
type readCounter struct {
	replica.Replica
	reads int
}

func (r *readCounter) Read(f func(*state.State, error)) {
	r.reads++
	r.Replica.Read(f)
}

// readsForLeaderOnly returns the methods that read the state and are not
// answered from a stale one.
func readsForLeaderOnly(t *testing.T) (out []string) {
	t.Helper()
	for name := range methods {
		c := newTestCore()
		counter := &readCounter{Replica: c.replica}
		c.replica = counter
		req, _ := answered(name, named[name].args...)
		act, err := decode(name, req.Args)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		act(c, req)
		if counter.reads > 0 && !isLookUp(item{req: req}) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// A method that reads the state is answered without a quorum too. The one
// exception makes a worker drop tasks, which a stale state must not do.
func TestMethodsThatReadAreLookUps(t *testing.T) {
	if got := readsForLeaderOnly(t); !slices.Equal(got, []string{"checkWorker"}) {
		t.Errorf("read the state, and are no look-ups: %v; want checkWorker only", got)
	}
	methods["planted"] = acts(func(*reader) action {
		return func(c *core, req *bus.Request) { c.lookUp(req, func(*state.State) { req.Reply("ok") }) }
	})
	defer delete(methods, "planted")
	if got := readsForLeaderOnly(t); !slices.Contains(got, "planted") {
		t.Errorf("a method that reads, and is no look-up, goes unnoticed: %v", got)
	}
}

// A new look-up in the method table is answered from the stale state, without
// being listed anywhere else.
func TestNewLookUpIsAnsweredWithoutQuorum(t *testing.T) {
	methods["planted"] = looksUp(func(*reader) query {
		return func(*core, *state.State) (any, error) { return "planted", nil }
	})
	defer delete(methods, "planted")
	c, _ := leaderless(t)
	req, answer := answered("planted")
	c.handle(req)
	c.step((*core).work)
	if !strings.Contains(*answer, "planted") {
		t.Errorf("answered %q", *answer)
	}
}

func TestCallsAfterCloseFail(t *testing.T) {
	conn := queues["nats"](t)()
	opts := DefaultOptions()
	opts.Cluster = t.Name()
	m, err := Start(t.Context(), conn, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), healthy)
	defer cancel()
	if err := m.Reconfigure(ctx, opts.Settings); !errors.Is(err, ErrClosed) {
		t.Errorf("Reconfigure after Close: %v, want %v", err, ErrClosed)
	}
}

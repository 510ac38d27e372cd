package amqpbus_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
)

// steps are what a member asks the broker for.
var steps = map[string]func(context.Context, bus.GroupMember, int) error{
	"lead": func(ctx context.Context, p bus.GroupMember, i int) error { return p.Lead(ctx, uint64(i+1)) },
	"follow": func(ctx context.Context, p bus.GroupMember, i int) error {
		if i%2 == 0 {
			return p.Follow(ctx)
		}
		return p.Lead(ctx, uint64(i+1))
	},
	"window": func(_ context.Context, p bus.GroupMember, i int) error { return amqpbus.SetWindow(p, 1<<(i%9)) },
}

// TestConnectionLostAtAnyStep: whatever is under way when a leader's connection
// breaks ends, and the leader is back.
func TestConnectionLostAtAnyStep(t *testing.T) {
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			b := shared.Broker(t)
			conn, wire := dialThrough(t, b)
			server := "lost " + name
			p := join(t, conn, server, says("leader"))
			lead(t, p, 1)
			c := dial(t, b)
			for round := range 8 {
				lost, back := connections(t, conn)
				var asking sync.WaitGroup
				begun := make(chan struct{})
				asking.Go(func() {
					ctx := within(t)
					for i := 0; ; i++ {
						if i == 5*round {
							close(begun)
						}
						if step(ctx, p, i) != nil {
							return // it is lost
						}
					}
				})
				take(t, begun, "the first steps")
				wire.Tear()
				take(t, lost, "the loss")
				asking.Wait()
				take(t, back, "the next connection")
				if err := p.Lead(within(t), 1<<20); err != nil {
					t.Fatal(err)
				}
				wantFrom(t, c, server, "leader", 3)
			}
		})
	}
}

// connections reports the next loss and the connection after it.
func connections(t *testing.T, c bus.Conn) (lost, back <-chan struct{}) {
	gone, again := make(chan struct{}, 100), make(chan struct{}, 100)
	first := true
	t.Cleanup(c.Watch(func(s bus.Status) {
		switch {
		case first: // how it stands
			first = false
		case s.Connected:
			again <- struct{}{}
		default:
			gone <- struct{}{}
		}
	}))
	return gone, again
}

// TestHaltedAtAnyStep: a broker that says nothing any more keeps neither a step
// nor an answer nor Close, and the wire's end ends the rest.
func TestHaltedAtAnyStep(t *testing.T) {
	for name, step := range steps {
		if name == "window" {
			continue // a call of the package itself, for which no caller waits
		}
		t.Run(name, func(t *testing.T) {
			b := shared.Broker(t)
			conn, wire := dialThrough(t, b)
			held := make(chan *bus.Request, 1)
			p := join(t, conn, "halted "+name, func(r *bus.Request) { held <- r })
			lead(t, p, 1)
			if err := dial(t, b).Cast(within(t), "halted "+name, "x"); err != nil {
				t.Fatal(err)
			}
			r := take(t, held, "the request")
			wire.Halt()
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			if err := step(ctx, p, 4); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the deadline", err)
			}
			r.Reply("while the broker is being asked") // waits for nothing
			closed := make(chan error, 1)
			go func() { closed <- conn.Close() }()
			wire.Cut()
			if err := take(t, closed, "Close"); err != nil {
				t.Error(err)
			}
		})
	}
}

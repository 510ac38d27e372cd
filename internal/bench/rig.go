package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/bench/measure"
	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// rig is everything that a run needs, started: managers, a fleet and a caller
// with a connection each, all to one broker.
type rig struct {
	opts    RPCOptions
	bus     bus.Options // as opts.Bus, with the address of a broker that was started
	kind    string
	fleet   *testbed.Fleet
	workers *testbed.Workers
	caller  bus.Conn // of every way to call
	// example is an answer to a schedule call, the same in size as any other.
	example json.RawMessage
	// callers counts those made, so that no two place tasks of the same name.
	callers int
	// stops are called in reverse order.
	stops []func()
}

// startRig starts it all, and returns once the manager places tasks.
func startRig(ctx context.Context, o RPCOptions) (*rig, error) {
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	r := &rig{opts: o, fleet: testbed.NewFleet(o.Workers, o.ISPs, o.Regions, 0.1, 0.2, rng)}
	for _, step := range []func(context.Context) error{r.reachBroker, r.startManagers, r.startFleet, r.startCaller} {
		if err := step(ctx); err != nil {
			r.close()
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	return r, nil
}

func (r *rig) close() {
	for i := len(r.stops) - 1; i >= 0; i-- {
		r.stops[i]()
	}
	r.stops = nil
}

func (r *rig) reachBroker(context.Context) error {
	b, err := testbed.FindBroker(r.opts.Bus)
	if err != nil {
		return err
	}
	r.bus, r.kind = b.Options, b.Kind
	r.bus.Logger = r.opts.Logger
	r.stops = append(r.stops, b.Stop)
	return nil
}

// dial makes a connection that ends with the rig.
func (r *rig) dial(ctx context.Context, who string) (bus.Conn, error) {
	o := r.bus
	o.Name = r.opts.Cluster + "-" + who
	conn, err := testbed.Connect(ctx, r.kind, o)
	if err != nil {
		return nil, fmt.Errorf("connect the %s to %s: %w", who, bus.Redacted(o.URL), err)
	}
	r.stops = append(r.stops, func() { _ = conn.Close() })
	return conn, nil
}

func (r *rig) startFleet(ctx context.Context) error {
	conn, err := r.dial(ctx, "fleet")
	if err != nil {
		return err
	}
	k, err := testbed.Join(ctx, conn, r.opts.Cluster, r.fleet, r.opts.Signs)
	if err != nil {
		return err
	}
	r.workers = k
	r.stops = append(r.stops, k.Close)
	return nil
}

// idle is the processor time of this process for a worker and interval while
// nothing is placed, over d; 0 where it is not known.
func (r *rig) idle(ctx context.Context, d time.Duration) time.Duration {
	end := time.NewTimer(d)
	defer end.Stop()
	given, cpu := r.workers.Given(), measure.CPUTime()
	select {
	case <-end.C:
	case <-ctx.Done():
	}
	return (measure.CPUTime() - cpu) / time.Duration(max(r.workers.Given()-given, 1))
}

// readyTime is how long a manager without an initial time may take until it
// places the first task.
const readyTime = 10 * time.Second

func (r *rig) startCaller(ctx context.Context) error {
	conn, err := r.dial(ctx, "caller")
	if err != nil {
		return err
	}
	r.caller = conn
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		answer, err := conn.Call(ctx, r.opts.Cluster, "schedule",
			testbed.Purpose, "task-first", r.fleet.Pools[0].Preference, r.opts.Reserve.Milliseconds())
		if err == nil {
			r.example = answer
			return nil
		}
		var refused *bus.RemoteError
		if !errors.As(err, &refused) {
			return fmt.Errorf("place the first task: %w", err)
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return fmt.Errorf("the manager places no task: %w", err)
		}
	}
}

// bodies returns a schedule call and its answer as they travel on the queue,
// so that the echo server can be called with the same sizes.
func (r *rig) bodies() (request, answer []byte, err error) {
	args, err := bus.EncodeArgs(testbed.Purpose, "task-256-100-100000", r.fleet.Pools[0].Preference, r.opts.Reserve.Milliseconds())
	if err != nil {
		return nil, nil, err
	}
	call := bus.Call{Method: "schedule", Args: args}
	reply := bus.Reply{Data: r.example}
	if r.kind == testbed.AMQP {
		call.CorrID, call.ReplyTo = json.RawMessage("100000"), "amq.gen-0123456789012345678901"
		reply.CorrID = call.CorrID
	}
	return bus.AppendCall(nil, call), bus.AppendReply(nil, reply), nil
}

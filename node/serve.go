package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker"
)

// Options are what a node is. Main takes what is not set from the environment
// that the agent gives it.
type Options struct {
	// ID is the node's name, and that of its server on the bus.
	ID string
	// Agent is the worker that runs the node; it is told of tasks that ended.
	Agent string
	// Purpose is the worker's.
	Purpose string
	// Methods are served beside start, stop and stats. They must not block.
	Methods map[string]bus.Handler
	// Linger is how long the report of a task that ended stays readable; 0
	// means DefaultLinger.
	Linger time.Duration
	// Logger hears of tasks that ended. Nil means none.
	Logger *slog.Logger

	// status is told in a line what the node does.
	status func(string)
}

func (o Options) withDefaults() Options {
	if o.Linger == 0 {
		o.Linger = DefaultLinger
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("node", o.ID)
	return o
}

func (o Options) validate() error {
	for _, f := range []struct{ name, value string }{{"ID", o.ID}, {"Agent", o.Agent}, {"Purpose", o.Purpose}} {
		if f.value == "" {
			return fmt.Errorf("node: %s must be set; an agent gives it as MUSTER_NODE, MUSTER_AGENT and MUSTER_PURPOSE", f.name)
		}
	}
	return nil
}

// agentTime is how long the agent has to hear of a task that ended.
const agentTime = 2 * time.Second

// Serve is a node from its start to its end: it serves the node's methods on
// conn and does tasks until ctx is over; then it ends those that run, and
// waits for them. ready is called when the node can take tasks. Serve returns
// an error only where the node could not be served.
func Serve(ctx context.Context, conn bus.Conn, work Work, opts Options, ready func()) error {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return err
	}
	d := &desk{work: work, opts: opts, ctx: ctx, jobs: map[string]*job{}}
	d.publish = func(e Event) { publish(ctx, conn, opts, e) }
	d.retire = func(r muster.TaskReport) { retire(ctx, conn, opts, r) }
	h := &handler{desk: d}
	service, err := conn.Serve(ctx, opts.ID, h.handle)
	if err != nil {
		return fmt.Errorf("node: serving %s: %w", opts.ID, err)
	}
	ready()
	<-ctx.Done()
	d.close()
	h.stops.Wait()
	if err := service.Close(); err != nil && !errors.Is(err, bus.ErrClosed) {
		return fmt.Errorf("node: ending %s: %w", opts.ID, err)
	}
	return nil
}

func publish(ctx context.Context, conn bus.Conn, opts Options, e Event) {
	if err := conn.Publish(ctx, bus.TopicTasks, opts.Purpose+".event", e); err != nil {
		opts.Logger.Warn("an event is lost", "task", e.Task, "event", e.Event, "err", err)
	}
}

// retire gives a task that ended back to the agent, which may have it back
// already.
func retire(ctx context.Context, conn bus.Conn, opts Options, r muster.TaskReport) {
	ctx, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	_, err := conn.Call(ctx, opts.Agent, "recycleNode", opts.ID, muster.TaskEnd{
		Room: r.Room, Task: r.Task, Result: &muster.TaskResult{State: r.State, Error: r.Error, Cause: r.Cause, Detail: r.Detail},
	})
	if err != nil && !errors.As(err, new(*bus.RemoteError)) {
		opts.Logger.Warn("the agent could not be told that a task is over", "task", r.Task, "err", err)
	}
}

// handler serves a node's methods.
type handler struct {
	desk  *desk
	stops sync.WaitGroup
}

func (h *handler) handle(r *bus.Request) {
	switch r.Method {
	case "start":
		h.start(r)
	case "stop":
		h.stop(r)
	case "stats":
		h.stats(r)
	default:
		if own := h.desk.opts.Methods[r.Method]; own != nil {
			own(r)
			return
		}
		r.Fail(bus.MethodUnknown)
	}
}

func (h *handler) start(r *bus.Request) {
	var o muster.TaskOrder
	err := worker.Decode(r.Args, &o)
	if err == nil {
		err = h.desk.start(o)
	}
	if err == nil {
		r.Reply("ok")
		return
	}
	if cause := causeOf(muster.TaskFailed, err); cause != "" {
		r.FailDetail(err.Error(), muster.TaskRefusal{Cause: cause})
		return
	}
	r.Fail(err.Error())
}

// stop answers when the task has ended, so that the caller may use what it
// made.
func (h *handler) stop(r *bus.Request) {
	j, err := h.asked(r.Args)
	if err != nil {
		r.Fail(err.Error())
		return
	}
	j.stop()
	h.stops.Go(func() {
		<-j.ended
		r.Reply("ok")
	})
}

func (h *handler) stats(r *bus.Request) {
	j, err := h.asked(r.Args)
	if err != nil {
		r.Fail(err.Error())
		return
	}
	wait := waitOf(r.Args)
	if wait == 0 {
		r.Reply(j.snapshot())
		return
	}
	h.stops.Go(func() {
		late := time.NewTimer(wait)
		defer late.Stop()
		select {
		case <-j.ended:
		case <-late.C:
		case <-h.desk.ctx.Done():
		}
		r.Reply(j.snapshot())
	})
}

// longestWait bounds how long an answer of stats waits.
const longestWait = 10 * time.Second

// waitOf is how long an answer of stats may wait for the end of the task; 0
// where the caller does not say.
func waitOf(args bus.Args) time.Duration {
	var task string
	var wait muster.TaskWait
	if worker.Decode(args, &task, &wait) != nil || wait.WaitMS <= 0 {
		return 0
	}
	return min(time.Duration(wait.WaitMS)*time.Millisecond, longestWait)
}

// asked is the task that is the first argument.
func (h *handler) asked(args []json.RawMessage) (*job, error) {
	var task string
	if err := worker.Decode(args, &task); err != nil {
		return nil, err
	}
	return h.desk.find(task)
}

package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/span"
	"github.com/muster-fleet/muster/worker"
)

// Options configure a node. Main takes unset ones from the environment that the
// agent provides.
type Options struct {
	// ID is the name of the node, and of its server on the bus.
	ID string
	// Agent is the worker that runs the node. The node reports ended tasks to it.
	Agent string
	// Purpose is the purpose of the worker.
	Purpose string
	// Methods are served in addition to start, stop and stats. They must not block.
	Methods map[string]bus.Handler
	// Linger is how long the report of an ended task stays readable; 0 means
	// DefaultLinger.
	Linger time.Duration
	// Logger logs ended tasks. Nil means none.
	Logger *slog.Logger

	// status receives a one-line summary of the running tasks.
	status func(string)
}

func (o Options) withDefaults() Options {
	o.Linger = cmp.Or(o.Linger, DefaultLinger)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler)).With("node", o.ID)
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

// agentTime is the timeout for reporting an ended task to the agent.
const agentTime = 2 * time.Second

// Serve runs a node: it serves the node's methods on conn and runs tasks until ctx
// ends. Then it stops the running tasks and waits for them. ready is called when
// the node can take tasks. Serve returns an error only if the methods could not be
// served.
func Serve(ctx context.Context, conn bus.Conn, work Work, opts Options, ready func()) error {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return err
	}
	d := &taskTable{work: work, opts: opts, ctx: ctx, jobs: map[string]*job{}}
	d.publish = func(e Event) { publish(ctx, conn, opts, e) }
	d.reportEnd = func(r muster.TaskReport) { reportEnd(ctx, conn, opts, r) }
	h := &handler{table: d}
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
		opts.Logger.Warn("event not published", "task", e.Task, "event", e.Event, "err", err)
	}
}

// reportEnd reports an ended task to the agent. The agent may refuse because it has
// recycled the node already.
func reportEnd(ctx context.Context, conn bus.Conn, opts Options, r muster.TaskReport) {
	ctx, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	_, err := conn.Call(ctx, opts.Agent, "recycleNode", opts.ID, muster.TaskEnd{
		Room: r.Room, Task: r.Task, Result: &muster.TaskResult{State: r.State, Error: r.Error, Cause: r.Cause, Detail: r.Detail},
	})
	if err != nil && !errors.As(err, new(*bus.RemoteError)) {
		opts.Logger.Warn("end of a task not reported to the agent", "task", r.Task, "err", err)
	}
}

// handler serves a node's methods.
type handler struct {
	table *taskTable
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
		if own := h.table.opts.Methods[r.Method]; own != nil {
			own(r)
			return
		}
		r.Refuse(muster.ReasonUnsupported)
	}
}

func (h *handler) start(r *bus.Request) {
	var o muster.TaskOrder
	err := worker.Decode(r.Args, &o)
	ctx, end := span.Below(r.Trace.In(context.Background()), span.Server, "start", span.Task, o.Task, span.Node, h.table.opts.ID)
	if err == nil {
		err = h.table.start(ctx, o)
	}
	end(err)
	if err == nil {
		r.Reply("ok")
		return
	}
	if cause := causeOf(muster.TaskFailed, err); cause != "" {
		r.RefuseDetail(err, muster.TaskRefusal{Cause: cause})
		return
	}
	r.Refuse(err)
}

// stop answers when the task has ended, so that the caller may use its output.
func (h *handler) stop(r *bus.Request) {
	j, err := h.taskOf(r.Args)
	if err != nil {
		r.Refuse(err)
		return
	}
	j.stop()
	h.stops.Go(func() {
		<-j.ended
		r.Reply("ok")
	})
}

func (h *handler) stats(r *bus.Request) {
	j, err := h.taskOf(r.Args)
	if err != nil {
		r.Refuse(err)
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
		case <-h.table.ctx.Done():
		}
		r.Reply(j.snapshot())
	})
}

// longestWait bounds how long stats waits before it answers.
const longestWait = 10 * time.Second

// waitOf returns how long stats may wait for the end of the task, or 0 if the
// caller did not say.
func waitOf(args bus.Args) time.Duration {
	var task string
	var wait muster.TaskWait
	if worker.Decode(args, &task, &wait) != nil || wait.WaitMS <= 0 {
		return 0
	}
	return min(time.Duration(wait.WaitMS)*time.Millisecond, longestWait)
}

// taskOf returns the task that the first argument names.
func (h *handler) taskOf(args []json.RawMessage) (*job, error) {
	var task string
	if err := worker.Decode(args, &task); err != nil {
		return nil, err
	}
	return h.table.find(task)
}

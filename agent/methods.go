package agent

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/span"
	"github.com/muster-fleet/muster/internal/taskname"
	"github.com/muster-fleet/muster/worker"
)

// ownMethods are the methods that an agent serves under its worker's id.
var ownMethods = slices.Sorted(maps.Keys((*Agent)(nil).handlers(nil)))

// handlers are the agent's methods and the caller's.
func (a *Agent) handlers(others map[string]worker.Handler) map[string]worker.Handler {
	all := map[string]worker.Handler{
		"getNode":     a.getNode,
		"recycleNode": a.recycleNode,
		"queryNode":   a.queryNode,
		"queryTask":   a.queryTask,
		"endedTasks":  a.endedTasks,
		"listNodes":   a.listNodes,
		"readLog":     a.readLog,
		"drain":       a.drain,
		"undrain":     a.undrain,
		"ping":        func(_ context.Context, _ *worker.Worker, r *bus.Request) { r.Reply("pong") },
	}
	maps.Copy(all, others)
	return all
}

// taskArg is what callers say of a task. Spec, Result and By are ours.
type taskArg struct {
	Room   *string            `json:"room"`
	Task   taskName           `json:"task"`
	Spec   json.RawMessage    `json:"spec"`
	Result *muster.TaskResult `json:"result"`
	By     string             `json:"by"`
	// Attempt is TaskOrder.Attempt.
	Attempt int `json:"attempt"`
	// Placement is the number of the placement; 0 from callers of OWT's.
	Placement uint64 `json:"placement"`
}

// taskName is the name of a task, which OWT's programs may send as any JSON
// value. It agrees with what the manager makes of the value.
type taskName string

func (n *taskName) UnmarshalJSON(raw []byte) error {
	*n = taskName(taskname.Of(raw))
	return nil
}

func (a *Agent) getNode(ctx context.Context, _ *worker.Worker, r *bus.Request) {
	var arg taskArg
	if err := worker.Decode(r.Args, &arg); err != nil || arg.Room == nil || arg.Task == "" {
		r.Refuse(muster.ReasonInvalidTask)
		return
	}
	if err := (muster.TaskOrder{Room: *arg.Room, Task: string(arg.Task), Spec: arg.Spec}).Check(); err != nil {
		r.Fail(err.Error())
		return
	}
	ctx, end := span.Below(context.WithoutCancel(ctx), span.Server, "getNode", span.Task, string(arg.Task))
	a.helpers.Go(func() { a.claim(ctx, tracedRequest{r, end}, arg) })
}

// claim asks the manager whether the task may be started here, and then for a
// node. A task of that name whose program is still ending comes to its end
// first.
func (a *Agent) claim(ctx context.Context, r tracedRequest, arg taskArg) {
	ctx, cancel := context.WithTimeout(ctx, a.opts.AnswerWithin)
	defer cancel()
	task := string(arg.Task)
	select {
	case <-a.owner.when(func(p *pool) bool { return !p.isEnding(task) }):
	case <-ctx.Done():
		r.Refuse(muster.ReasonEarlyRecycled)
		return
	}
	err := a.worker.Claim(ctx, task, arg.Placement)
	switch refused, final := err.(muster.Reason); {
	case final:
		r.Refuse(refused)
		return
	case err != nil: // which may wrap the last refusal that was not final
		r.RefuseDetail(reasonAgentNotReady, refusal{Error: err.Error()})
		return
	}
	a.owner.do(func(p *pool, now time.Time) { a.claimed(ctx, p, now, r, arg) })
}

// claimed asks for a node for a task that was claimed. If the task ended since,
// its slot may be another's.
func (a *Agent) claimed(ctx context.Context, p *pool, now time.Time, r tracedRequest, arg taskArg) {
	task := string(arg.Task)
	if p.isEnding(task) || !a.has(task) {
		r.Refuse(muster.ReasonEarlyRecycled)
		return
	}
	_, started := span.Below(ctx, span.Internal, "start node", span.Task, task)
	end := r.end
	r.end = func(err error) { started(err); end(err) }
	p.getNode(now, a.owner.keep(r), muster.TaskOrder{Room: *arg.Room, Task: task, Spec: arg.Spec, By: arg.By, Attempt: arg.Attempt})
}

// has reports whether the manager counts the task as one of this agent's.
func (a *Agent) has(task string) bool { return slices.Contains(a.worker.Tasks(), task) }

// isEnding reports whether the task's program still runs after it was asked to
// end.
func (p *pool) isEnding(task string) bool {
	t := p.tasks[task]
	return t != nil && t.ending != nil
}

// tracedRequest is a request, and what ends the record of it.
type tracedRequest struct {
	*bus.Request
	end func(error)
}

func untraced(r *bus.Request) tracedRequest { return tracedRequest{r, func(error) {}} }

func (r tracedRequest) Reply(data any) {
	r.end(nil)
	r.Request.Reply(data)
}

func (r tracedRequest) Refuse(why error) {
	r.end(why)
	r.Request.Refuse(why)
}

func (r tracedRequest) RefuseDetail(why error, detail any) {
	r.end(why)
	r.Request.RefuseDetail(why, detail)
}

// keep remembers a request until the pool answers it.
func (o *owner) keep(r tracedRequest) uint64 {
	o.asked++
	o.requests[o.asked] = r
	return o.asked
}

// answer waits until the outcome of the task was reported to the manager.
func (o *owner) answer(a answer) {
	r := o.requests[a.ref]
	delete(o.requests, a.ref)
	o.agent.worker.AfterReports(func() { r.Reply(a.text) })
}

// refusal is the detail of a refused getNode.
type refusal struct {
	Node  string `json:"node,omitempty"`
	Error string `json:"error,omitempty"`
	// Own: the node was made for the task, which another node would fail as
	// well.
	Own bool `json:"own,omitempty"`
}

func (o *owner) refuse(a refuse) {
	r := o.requests[a.ref]
	delete(o.requests, a.ref)
	detail := refusal{Node: a.node, Own: o.pool.alone && a.node != ""}
	if a.err != nil {
		detail.Error = a.err.Error()
	}
	if detail == (refusal{}) {
		r.Refuse(a.reason)
		return
	}
	r.RefuseDetail(a.reason, detail)
}

func (a *Agent) recycleNode(_ context.Context, _ *worker.Worker, r *bus.Request) {
	var node string
	var arg taskArg
	if err := worker.Decode(r.Args, &node, &arg); err != nil || arg.Task == "" {
		r.Refuse(muster.ReasonInvalidTask)
		return
	}
	a.owner.do(func(p *pool, now time.Time) {
		p.recycle(now, a.owner.keep(untraced(r)), node, muster.TaskEnd{Task: string(arg.Task), Result: arg.Result, By: arg.By})
	})
}

func (a *Agent) queryNode(_ context.Context, _ *worker.Worker, r *bus.Request) {
	var room string
	if err := worker.Decode(r.Args, &room); err != nil {
		r.Fail(err.Error())
		return
	}
	a.owner.do(func(p *pool, _ time.Time) {
		node, ok := p.queryNode(room)
		replyOr(r, node, ok)
	})
}

func (a *Agent) queryTask(_ context.Context, _ *worker.Worker, r *bus.Request) {
	var task string
	if err := worker.Decode(r.Args, &task); err != nil {
		r.Fail(err.Error())
		return
	}
	a.owner.do(func(p *pool, now time.Time) {
		report, ok := p.queryTask(now, task)
		replyOr(r, report, ok)
	})
}

func (a *Agent) endedTasks(_ context.Context, _ *worker.Worker, r *bus.Request) {
	limit := mostListed
	if err := worker.Decode(r.Args, &limit); err != nil && len(r.Args) > 0 {
		r.Fail(err.Error())
		return
	}
	a.owner.do(func(p *pool, _ time.Time) { r.Reply(p.ended.listEnded(limit)) })
}

func replyOr(r *bus.Request, found any, ok bool) {
	if !ok {
		r.Refuse(muster.ReasonNoTask)
		return
	}
	r.Reply(found)
}

func (a *Agent) listNodes(_ context.Context, _ *worker.Worker, r *bus.Request) {
	a.owner.do(func(p *pool, now time.Time) { r.Reply(a.owner.list(p, now)) })
}

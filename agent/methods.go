package agent

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
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
		"listNodes":   a.listNodes,
		"readLog":     a.readLog,
		"drain":       a.drain,
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
}

// taskName is the name of a task, which OWT's programs may send as any JSON
// value. It agrees with what the manager makes of the value.
type taskName string

func (n *taskName) UnmarshalJSON(raw []byte) error {
	*n = taskName(taskname.Of(raw))
	return nil
}

func (a *Agent) getNode(_ context.Context, _ *worker.Worker, r *bus.Request) {
	var arg taskArg
	if err := worker.Decode(r.Args, &arg); err != nil || arg.Room == nil || arg.Task == "" {
		r.Fail(reasonInvalidTask)
		return
	}
	if err := (muster.TaskOrder{Room: *arg.Room, Task: string(arg.Task), Spec: arg.Spec}).Check(); err != nil {
		r.Fail(err.Error())
		return
	}
	a.owner.do(func(p *pool, now time.Time) {
		p.getNode(now, a.owner.keep(r), muster.TaskOrder{Room: *arg.Room, Task: string(arg.Task), Spec: arg.Spec, By: arg.By})
	})
}

// keep remembers a request until the pool answers it.
func (o *owner) keep(r *bus.Request) uint64 {
	o.asked++
	o.requests[o.asked] = r
	return o.asked
}

// answer waits until the manager was told what became of the task.
func (o *owner) answer(a answer) {
	r := o.requests[a.ref]
	delete(o.requests, a.ref)
	o.agent.worker.AfterTold(func() { r.Reply(a.text) })
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
		r.Fail(a.reason)
		return
	}
	r.FailDetail(a.reason, detail)
}

func (a *Agent) recycleNode(_ context.Context, _ *worker.Worker, r *bus.Request) {
	var node string
	var arg taskArg
	if err := worker.Decode(r.Args, &node, &arg); err != nil || arg.Task == "" {
		r.Fail(reasonInvalidTask)
		return
	}
	a.owner.do(func(p *pool, now time.Time) {
		p.recycle(now, a.owner.keep(r), node, muster.TaskEnd{Task: string(arg.Task), Result: arg.Result, By: arg.By})
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

func replyOr(r *bus.Request, found any, ok bool) {
	if !ok {
		r.Fail(string(muster.ReasonNoTask))
		return
	}
	r.Reply(found)
}

func (a *Agent) listNodes(_ context.Context, _ *worker.Worker, r *bus.Request) {
	a.owner.do(func(p *pool, now time.Time) { r.Reply(a.owner.list(p, now)) })
}

// drain answers when the draining has begun.
func (a *Agent) drain(_ context.Context, _ *worker.Worker, r *bus.Request) {
	a.owner.do(func(p *pool, now time.Time) {
		p.drain(now)
		p.emit(answer{a.owner.keep(r), "ok"})
	})
}

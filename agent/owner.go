package agent

import (
	"context"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent/process"
	"github.com/muster-fleet/muster/internal/mailbox"
)

// input is something that happens to the pool.
type input func(p *pool, now time.Time)

// owner is the goroutine that has the pool, and does what it wants done.
type owner struct {
	agent *Agent
	in    *mailbox.Box[input]
	pool  *pool
	// nodes are the handles of those that the pool has.
	nodes map[string]*handle
	// requests are those that the pool has not answered, by number.
	requests map[uint64]tracedRequest
	asked    uint64
	watchers []watcher
}

// handle is a node, or the start of one.
type handle struct {
	node process.Node // nil while it is being started
	// stop is for a node that was still being started.
	stop *time.Duration
}

// watcher waits for something to become true of the pool.
type watcher struct {
	what func(*pool) bool
	then chan struct{}
}

func newOwner(a *Agent) *owner {
	return &owner{agent: a, in: mailbox.New[input](), nodes: map[string]*handle{}, requests: map[uint64]tracedRequest{}}
}

// do hands an input to the owner. It does not wait.
func (o *owner) do(in input) { o.in.Put(in) }

// when returns what is closed as soon as something is true of the pool.
func (o *owner) when(what func(*pool) bool) <-chan struct{} {
	c := make(chan struct{})
	o.do(func(*pool, time.Time) { o.watchers = append(o.watchers, watcher{what, c}) })
	return c
}

// settle waits until the owner has dealt with what it was given.
func (o *owner) settle() { <-o.when(func(*pool) bool { return true }) }

// empty reports whether it has no tasks and no caller waits for a node.
func (p *pool) empty() bool {
	return len(p.tasks) == 0 && len(p.queue) == 0 &&
		!slices.ContainsFunc(p.nodes, func(n *node) bool { return len(n.waiting) > 0 })
}

// run is a goroutine of the Agent's.
func (o *owner) run(ctx context.Context) {
	o.pool = newPool(o.agent.settings(), o.status, o.extended)
	o.pool.tick(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		o.perform(ctx)
		o.tellWatchers()
		o.rest(timer)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			o.pool.tick(time.Now())
		case <-o.in.Ready():
			o.takeIn(ctx)
		}
	}
}

func (o *owner) takeIn(ctx context.Context) {
	for _, in := range o.in.Take() {
		in(o.pool, time.Now())
		o.perform(ctx)
	}
}

// rest puts the next tick when the pool wants it.
func (o *owner) rest(timer *time.Timer) {
	if next := o.pool.next(); !next.IsZero() {
		timer.Reset(time.Until(next))
	} else {
		timer.Stop()
	}
}

func (o *owner) tellWatchers() {
	o.watchers = slices.DeleteFunc(o.watchers, func(w watcher) bool {
		met := w.what(o.pool)
		if met {
			close(w.then)
		}
		return met
	})
}

// perform does what the pool wants done.
func (o *owner) perform(ctx context.Context) {
	for _, a := range o.pool.take() {
		switch a := a.(type) {
		case launch:
			o.launch(ctx, a.spec)
		case stop:
			o.stop(a)
		case answer:
			o.answer(a)
		case refuse:
			o.refuse(a)
		case abnormal:
			o.agent.tellAbnormal(a)
		case notice:
			o.agent.tellTask(a)
		default:
			o.tellManager(a)
		}
	}
}

func (o *owner) tellManager(a action) {
	w := o.agent.worker
	switch a := a.(type) {
	case pickUp:
		w.AddTask(a.task)
	case layDown:
		w.RemoveTask(a.task)
	case reject:
		w.RemoveTask(a.task) // it was claimed
		w.RejectTask(a.task)
	case report:
		o.agent.log.Info("availability changed", "available", a.available)
		if a.available {
			w.ReportState(muster.StateReady)
		} else {
			w.ReportState(muster.StateNotReady)
		}
	}
}

// launch starts a node without waiting for it, and follows it to its end.
func (o *owner) launch(ctx context.Context, s process.Spec) {
	o.nodes[s.ID] = &handle{}
	o.agent.log.Info("node starts", "node", s.ID, "task", s.Task)
	o.agent.helpers.Go(func() {
		n, err := o.agent.opts.Launcher.Launch(ctx, s)
		if err != nil {
			o.do(func(p *pool, now time.Time) { o.notLaunched(p, now, s.ID, err) })
			return
		}
		o.do(func(*pool, time.Time) { o.launched(s.ID, n) })
		o.follow(ctx, s.ID, n)
	})
}

func (o *owner) notLaunched(p *pool, now time.Time, id string, err error) {
	o.agent.log.Error("node not started", "node", id, "err", err)
	p.notLaunched(now, id, err)
	delete(o.nodes, id)
}

func (o *owner) launched(id string, n process.Node) {
	h := o.nodes[id]
	h.node = n
	if h.stop != nil {
		n.Stop(*h.stop)
	}
}

// follow reports to the owner how a node goes on. It outlasts ctx only where
// the node has ended.
func (o *owner) follow(ctx context.Context, id string, n process.Node) {
	select {
	case <-n.Ready():
		o.ready(id)
	case <-n.Done():
	case <-ctx.Done():
	}
	select {
	case <-n.Done():
		o.over(id, n)
	case <-ctx.Done():
	}
}

// over is a node that has ended. It may have become ready in the same moment.
func (o *owner) over(id string, n process.Node) {
	select {
	case <-n.Ready():
		o.ready(id)
	default:
	}
	o.do(func(p *pool, now time.Time) { o.gone(p, now, id, n.Err()) })
}

func (o *owner) ready(id string) {
	o.do(func(p *pool, now time.Time) { p.nodeReady(now, id) })
}

// gone keeps the handle until the pool has asked for the node's last words.
func (o *owner) gone(p *pool, now time.Time, id string, err error) {
	o.agent.log.Info("node ended", "node", id, "err", err)
	p.nodeGone(now, id, err)
	delete(o.nodes, id)
}

func (o *owner) stop(s stop) {
	grace := o.agent.opts.StopGrace
	if s.kill {
		grace = 0
	}
	o.agent.log.Debug("node is stopped", "node", s.node, "grace", grace)
	o.stopWithin(s.node, grace)
}

func (o *owner) stopWithin(id string, grace time.Duration) {
	h := o.nodes[id]
	if h == nil {
		return
	}
	h.stop = &grace
	if h.node != nil {
		h.node.Stop(grace)
	}
}

// killAll leaves nodes no more time.
func (o *owner) killAll() {
	o.do(func(*pool, time.Time) {
		for id := range o.nodes {
			o.stopWithin(id, 0)
		}
	})
}

func (o *owner) status(id string) string {
	if h := o.nodes[id]; h != nil && h.node != nil {
		return h.node.Status()
	}
	return ""
}

// extended is until when a node that starts asked to be waited for.
func (o *owner) extended(id string) time.Time {
	if h := o.nodes[id]; h != nil {
		if n, ok := h.node.(process.Extender); ok {
			return n.ExtendedUntil()
		}
	}
	return time.Time{}
}

// list is the pool's list, with the processes.
func (o *owner) list(p *pool, now time.Time) []muster.Node {
	infos := p.list(now)
	for i := range infos {
		if h := o.nodes[infos[i].ID]; h != nil && h.node != nil {
			infos[i].PID = h.node.PID()
		}
	}
	return infos
}

package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/worker"
)

// Agent is a worker that runs nodes. All methods may be called from several
// goroutines at once.
type Agent struct {
	opts   Options
	conn   bus.Conn
	worker *worker.Worker
	log    *slog.Logger

	// owner is the goroutine that has the pool.
	owner *owner
	// news are the notices that wait to be published.
	news *mailbox.Box[func(context.Context)]
	// helpers are the goroutines that start nodes, follow them, and read logs.
	helpers sync.WaitGroup

	// closing ends the agent, for the first reason given; ended is closed when
	// nothing of it is left. closeErr is what of Close did not succeed.
	closing  func(patience context.Context)
	ended    chan struct{}
	closeErr error
}

// Start joins the cluster as a worker, and starts the first idle nodes. ctx
// bounds the joining only; the agent lives until Close, or until the Conn is
// closed. Where Start fails nothing is left running.
func Start(ctx context.Context, conn bus.Conn, opts Options) (*Agent, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	a := &Agent{opts: opts, conn: conn, news: mailbox.New[func(context.Context)](), ended: make(chan struct{})}
	a.owner = newOwner(a)
	w, err := worker.Join(ctx, conn, a.workerOptions())
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	a.worker = w
	a.log = opts.Logger.With("component", "agent", "agent", w.ID())
	a.run(context.WithoutCancel(ctx))
	return a, nil
}

func (a *Agent) settings() settings {
	o := a.opts
	return settings{
		agent: a.worker.ID(), purpose: o.Worker.Purpose, policy: o.Policy, alone: o.Launcher.PerTask(), maxTasks: o.maxTasks(),
		slots: o.Slots, slotOf: o.SlotOf,
		readyTimeout: o.ReadyTimeout, answerWithin: o.AnswerWithin, seed: cmp.Or(o.Seed, rand.Uint64()),
		earlier: o.Ended, onEnded: o.OnEnded,
	}
}

// workerOptions are the caller's, with what the agent needs beside.
func (a *Agent) workerOptions() worker.Options {
	o := a.opts.Worker
	o.Handlers = a.handlers(o.Handlers)
	dropped := o.OnTasksDropped
	o.OnTasksDropped = func(w *worker.Worker, tasks []string) {
		// Those that were claimed again since stay.
		a.owner.do(func(p *pool, now time.Time) { p.drop(now, slices.DeleteFunc(slices.Clone(tasks), a.has)) })
		if dropped != nil {
			dropped(w, tasks)
		}
	}
	o.MaxTasks = a.opts.maxTasks()
	return o
}

// maxTasks is how many tasks the manager may place here; 0 is any number.
func (o Options) maxTasks() int {
	perTask := o.Policy.PerTask || o.Launcher.PerTask()
	if o.Worker.MaxTasks == 0 && perTask && o.Policy.MaxNodes != NoLimit {
		return o.Policy.MaxNodes
	}
	return o.Worker.MaxTasks
}

// run starts the goroutines.
func (a *Agent) run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	order := make(chan context.Context, 1)
	var once sync.Once
	a.closing = func(patience context.Context) { once.Do(func() { order <- patience }) }
	var all sync.WaitGroup
	all.Go(func() { a.owner.run(ctx) })
	all.Go(func() { a.publish(ctx) })
	go func() {
		select {
		case patience := <-order:
			a.closeErr = a.end(patience)
		case <-a.worker.Done():
			a.closeErr = a.end(ctx)
		}
		a.owner.settle()
		if errors.Is(a.closeErr, errNodesLeft) {
			stop()
		}
		a.helpers.Wait()
		a.news.Put(func(context.Context) { stop() })
		all.Wait()
		close(a.ended)
	}()
}

var errNodesLeft = errors.New("agent: nodes are still there after they were killed")

// killTime is how long nodes have to be gone that are killed.
const killTime = 5 * time.Second

// quitTime is how long the manager has to hear that the agent goes.
const quitTime = 2 * time.Second

// end stops the nodes, and leaves the cluster. Nodes that are left when patience
// is done are killed.
func (a *Agent) end(patience context.Context) error {
	a.owner.do(func(p *pool, now time.Time) { p.close(now, "the agent has ended") })
	gone := a.owner.when(func(p *pool) bool { return p.closed && len(p.nodes) == 0 })
	var left error
	select {
	case <-gone:
	case <-patience.Done():
		a.owner.killAll()
		left = await(gone, killTime)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(patience), quitTime)
	defer cancel()
	return errors.Join(left, a.worker.Quit(ctx))
}

func await(gone <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-gone:
		return nil
	case <-timer.C:
		return errNodesLeft
	}
}

// ID is the worker's name, and that of its server on the bus.
func (a *Agent) ID() string { return a.worker.ID() }

// Worker is the member of the cluster that the agent is. Its tasks and its
// state are the agent's to tell.
func (a *Agent) Worker() *worker.Worker { return a.worker }

// Nodes lists the nodes, the oldest first; none after Done.
func (a *Agent) Nodes() []muster.Node {
	answer := make(chan []muster.Node, 1)
	a.owner.do(func(p *pool, now time.Time) { answer <- a.owner.list(p, now) })
	select {
	case nodes := <-answer:
		return nodes
	case <-a.ended:
		return nil
	}
}

// Drain takes no new tasks and waits until none is left. Those that still run
// when ctx is done are ended, and the error says how many. The agent stays a
// member, without tasks, until Close.
func (a *Agent) Drain(ctx context.Context) error {
	a.owner.do(func(p *pool, now time.Time) { p.drain(now) })
	empty := a.owner.when((*pool).empty)
	select {
	case <-empty:
		return nil
	case <-a.ended:
		return fmt.Errorf("agent: draining %s: %w", a.ID(), a.Err())
	case <-ctx.Done():
	}
	left := make(chan int, 1)
	a.owner.do(func(p *pool, now time.Time) {
		left <- len(p.tasks)
		p.endAll(now, "the agent was drained, and the time for that was over")
	})
	select {
	case n := <-left:
		return fmt.Errorf("agent: draining %s: %d tasks were ended: %w", a.ID(), n, context.Cause(ctx))
	case <-a.ended:
		return fmt.Errorf("agent: draining %s: %w", a.ID(), a.Err())
	}
}

// Close stops the nodes, leaves the cluster, and returns when nothing of the
// agent is left. Nodes that still run when ctx is done are killed. The Conn
// stays open. Close may be called again.
func (a *Agent) Close(ctx context.Context) error {
	a.closing(ctx)
	<-a.ended
	return a.closeErr
}

// Done is closed when the agent has ended: after Close, or because the Conn
// was closed.
func (a *Agent) Done() <-chan struct{} { return a.ended }

// Err is why the agent has ended, once Done is closed: worker.ErrQuit after
// Close, or an error that wraps bus.ErrClosed.
func (a *Agent) Err() error {
	select {
	case <-a.ended:
		return a.worker.Err()
	default:
		return nil
	}
}

package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/mailbox"
)

// ErrReplaced is why a worker ended whose ID a later process has. It is no
// member any more and must end its tasks; OnTasksDropped has named them.
var ErrReplaced = errors.New("worker: replaced by a later process with the same id")

// ErrQuit is the error of a worker that ended by Quit.
var ErrQuit = errors.New("worker: quit")

// Worker is a member of a cluster. All methods may be called from several
// goroutines at once, and from handlers and callbacks, save that these must
// not wait for Quit or Drain.
type Worker struct {
	opts Options
	// named: the ID was not made up.
	named bool
	info  json.RawMessage
	conn  bus.Conn

	mu      sync.Mutex
	machine machine
	drained []chan struct{}

	// woken: the machine has actions to be done.
	woken    mailbox.Signal
	requests chan *bus.Request
	events   *mailbox.Box[func()]
	// joinedOnce is closed when the worker is a member for the first time.
	joinedOnce chan struct{}

	// stop ends the goroutines, and says why.
	stop context.CancelCauseFunc
	// unserved is closed when no more requests arrive, ended when all
	// goroutines are gone. Then endErr is why, and quitErr why quit could not
	// be reported to the manager.
	unserved, ended chan struct{}
	endErr, quitErr error
}

// Join makes this program a worker of a cluster, and returns when the manager
// has taken it in. The methods in opts.Handlers are served before that. ctx
// bounds the joining only; the worker lives until Quit, or until the Conn is
// closed.
//
// Join fails where the options are wrong, and when the manager could not be
// joined in JoinRetries tries or within ctx; nothing is left running then.
func Join(ctx context.Context, conn bus.Conn, opts Options) (*Worker, error) {
	w, err := newWorker(conn, opts, newIncarnation(time.Now()))
	if err != nil {
		return nil, err
	}
	service, err := w.serve(ctx)
	if err != nil {
		return nil, err
	}
	w.start(ctx, service)
	select {
	case <-w.joinedOnce:
		return w, nil
	case <-w.ended:
		err = w.endErr
	case <-ctx.Done():
		err = w.abandon(ctx)
	}
	return nil, fmt.Errorf("worker: joining %s: %w", w.opts.Cluster, err)
}

// abandon ends a worker that could not join in time.
func (w *Worker) abandon(ctx context.Context) error {
	w.do(func(m *machine) { m.end(ErrQuit) })
	<-w.ended
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := w.machine.lastFailure; last != nil {
		return fmt.Errorf("%w; the last try: %w", context.Cause(ctx), last)
	}
	return context.Cause(ctx)
}

func newWorker(conn bus.Conn, opts Options, incarnation string) (*Worker, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	named := opts.ID != ""
	opts = opts.withDefaults().withIdentity()
	info, err := opts.checkedInfo(incarnation)
	if err != nil {
		return nil, err
	}
	opts.Logger = opts.Logger.With("component", "worker", "worker", opts.ID)
	return &Worker{
		opts: opts, named: named, info: info, conn: conn,
		machine: machine{
			id: opts.ID, incarnation: incarnation, checks: true, maxTasks: opts.MaxTasks, retries: max(opts.JoinRetries, 0), misses: opts.Misses,
			report: report{every: opts.LoadInterval, repeat: opts.LoadRepeat, rides: opts.KeepAlive <= opts.LoadInterval},
		},
		woken:      mailbox.NewSignal(),
		requests:   make(chan *bus.Request, requestBacklog),
		events:     mailbox.New[func()](),
		joinedOnce: make(chan struct{}),
		unserved:   make(chan struct{}),
		ended:      make(chan struct{}),
	}, nil
}

// ID is the worker's name, and that of its server on the bus.
func (w *Worker) ID() string { return w.opts.ID }

// Purpose is what the worker is for.
func (w *Worker) Purpose() string { return w.opts.Purpose }

// Tasks lists the tasks that it runs, in the order in which they were added.
func (w *Worker) Tasks() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.machine.tasks)
}

// AddTask says that the worker runs these tasks now, without asking: a task that
// another worker has is soon dropped again (OnTasksDropped). Claim asks first. Those that it runs
// already are left as they are.
func (w *Worker) AddTask(tasks ...string) {
	w.do(func(m *machine) { m.add(tasks) })
}

// RemoveTask says that the worker no longer runs the task. The manager keeps
// it reserved here for a while, so that it comes back to the same worker. A
// task that the worker does not run is ignored.
func (w *Worker) RemoveTask(task string) {
	w.do(func(m *machine) { m.remove(task) })
}

// RejectTask says that the worker will not take a task that the manager
// reserved it for. After RemoveTask, it says that the task need not come back.
func (w *Worker) RejectTask(task string) {
	w.do(func(m *machine) { m.reject(task) })
}

// ReportState says whether the worker may get tasks: only with
// muster.StateReady, which is also what a worker that never reported is.
func (w *Worker) ReportState(s muster.WorkerState) {
	w.do(func(m *machine) { m.setState(s) })
}

// AfterReports runs f when all earlier reports have been handed to the
// connection: a caller that f answers finds the manager up to date. f must not
// block.
func (w *Worker) AfterReports(f func()) {
	over := false
	w.do(func(m *machine) {
		if over = m.phase == ended; !over {
			m.emit(afterwards{f})
		}
	})
	if over {
		f()
	}
}

// Drain asks for no more tasks, and waits until none is left. Tasks that were
// reserved here before may still arrive, for as long as their callers hold the
// reservation.
func (w *Worker) Drain(ctx context.Context) error {
	w.ReportState(muster.StateNotReady)
	select {
	case <-w.empty():
		return nil
	case <-w.ended:
		return fmt.Errorf("worker: draining %s: %w", w.opts.ID, w.Err())
	case <-ctx.Done():
		return fmt.Errorf("worker: draining %s, which still runs %d tasks: %w",
			w.opts.ID, len(w.Tasks()), context.Cause(ctx))
	}
}

// empty is closed when there are no tasks.
func (w *Worker) empty() <-chan struct{} {
	c := make(chan struct{})
	w.do(func(*machine) { w.drained = append(w.drained, c) })
	return c
}

// Quit reports to the manager that the worker leaves, and ends it: when it returns
// without an error its goroutines are gone, and its callbacks will not run. An
// error says what of that did not succeed within ctx; a manager that missed it
// notices by itself after a while. The Conn stays open. Quit may be
// called again.
func (w *Worker) Quit(ctx context.Context) error {
	w.do(func(m *machine) { m.end(ErrQuit) })
	select {
	case <-w.ended:
	case <-ctx.Done():
		w.stop(ErrQuit)
		return fmt.Errorf("worker: %s is still ending: %w", w.opts.ID, context.Cause(ctx))
	}
	if errors.Is(w.endErr, ErrQuit) {
		return w.quitErr
	}
	return w.endErr
}

// Done is closed when the worker has ended: after Quit, or because the Conn
// was closed.
func (w *Worker) Done() <-chan struct{} { return w.ended }

// Err is why the worker has ended: ErrQuit, ErrReplaced, or an error that wraps
// bus.ErrClosed. It is nil before that.
func (w *Worker) Err() error {
	select {
	case <-w.ended:
		return w.endErr
	default:
		return nil
	}
}

// do is an input to the machine.
func (w *Worker) do(input func(*machine)) {
	w.mu.Lock()
	w.machine.now = time.Now()
	input(&w.machine)
	if len(w.machine.tasks) == 0 {
		for _, c := range w.drained {
			close(c)
		}
		w.drained = nil
	}
	w.mu.Unlock()
	w.woken.Raise()
}

func (w *Worker) take() []action {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.machine.take()
}

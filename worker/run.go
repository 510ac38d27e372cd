package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/span"
)

// ErrIDTaken is what Join wraps when another process answers under the ID.
var ErrIDTaken = errors.New("another process answers under this id")

// probeTime is how long Join waits for a sign of another process with its ID.
const probeTime = 300 * time.Millisecond

// probe looks for another process that serves the ID. Two of them would each get
// a part of the calls.
func (w *Worker) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	_, err := w.conn.Call(ctx, w.opts.ID, "ping")
	if err == nil || errors.As(err, new(*bus.RemoteError)) {
		return fmt.Errorf("worker: %s: %w: end that one first, or choose another ID", w.opts.ID, ErrIDTaken)
	}
	return nil
}

// serve makes the worker's methods available. A queue that is away just now is
// tried again like a join.
func (w *Worker) serve(ctx context.Context) (bus.Service, error) {
	if w.named {
		if err := w.probe(ctx); err != nil {
			return nil, err
		}
	}
	for try := 0; ; try++ {
		service, err := w.conn.Serve(ctx, w.opts.ID, w.arrived)
		if err == nil {
			return service, nil
		}
		if !errors.Is(err, bus.ErrDisconnected) || try >= w.opts.JoinRetries || !pause.For(ctx, w.opts.JoinInterval) {
			return nil, fmt.Errorf("worker: serving %s: %w", w.opts.ID, err)
		}
	}
}

// start measures a first load, to be reported on joining, and starts the
// goroutines.
func (w *Worker) start(ctx context.Context, service bus.Service) {
	meter := &meter{w: w}
	meter.measure(ctx)
	run, stop := context.WithCancelCause(context.WithoutCancel(span.Outside(ctx)))
	w.stop = stop
	unwatch := w.conn.Watch(w.follow())

	var all sync.WaitGroup
	protocol := &protocol{w: w}
	all.Go(func() { protocol.run(run) })
	all.Go(func() { meter.run(run) })
	all.Go(func() { w.handleRequests(run) })
	all.Go(func() { w.runEvents(run) })
	go func() {
		<-run.Done()
		unwatch()
		if err := service.Close(); err != nil && !errors.Is(err, bus.ErrClosed) {
			w.opts.Logger.Warn("worker's methods not withdrawn from the queue", "err", err)
		}
		close(w.unserved)
		all.Wait()
		w.endErr, w.quitErr = context.Cause(run), protocol.quitErr
		close(w.ended)
	}()
}

// follow returns what watches the connection. It is first called with the
// present status.
func (w *Worker) follow() func(bus.Status) {
	var mu sync.Mutex
	was := true
	return func(s bus.Status) {
		mu.Lock()
		back := s.Connected && !was
		was = s.Connected
		mu.Unlock()
		if back {
			w.do((*machine).reconnected)
		}
	}
}

// protocol is the goroutine that lets the machine's actions happen, in order.
type protocol struct {
	w     *Worker
	timer *time.Timer
	// calls are the goroutines that wait for an answer of the manager.
	calls   sync.WaitGroup
	quitErr error
}

func (p *protocol) run(ctx context.Context) {
	p.timer = time.NewTimer(0)
	defer p.timer.Stop()
	defer p.calls.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.timer.C:
			p.w.do((*machine).tick)
			p.timer.Reset(p.w.interval())
		case <-p.w.woken:
		}
		for _, a := range p.w.take() {
			p.perform(ctx, a)
		}
	}
}

// interval is the time between two ticks.
func (w *Worker) interval() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.machine.phase == joined {
		return w.opts.KeepAlive
	}
	return w.opts.JoinInterval
}

func (p *protocol) perform(ctx context.Context, a action) {
	w := p.w
	if r, ok := w.request(a); ok {
		p.ask(ctx, r)
		return
	}
	switch a := a.(type) {
	case cast:
		if err := p.cast(ctx, a.method, a.args...); err != nil {
			w.opts.Logger.Warn("report to the manager delayed", "method", a.method, "err", err)
			w.do(func(m *machine) { m.castFailed(err) })
		}
	case afterwards:
		a.run()
	case rest:
		p.timer.Reset(w.interval())
	case giveUp:
		p.end(ctx, a)
	default:
		w.happened(a)
	}
}

// ask calls the manager without waiting for its answer.
func (p *protocol) ask(ctx context.Context, r request) {
	w := p.w
	p.calls.Go(func() {
		var term uint64
		ctx = bus.OnTerm(ctx, func(t uint64) { term = t })
		answer, err := word(bus.CallUntil(ctx, w.conn, time.Now().Add(w.opts.CallTimeout), w.opts.Cluster, r.method, r.args...))
		if err != nil {
			w.opts.Logger.Debug("no answer from the manager", "method", r.method, "err", err)
		}
		w.do(func(m *machine) {
			m.ledIn(term)
			r.answered(m, answer, err)
		})
	})
}

// request is a call of the manager, and what its answer is to the machine.
type request struct {
	method   string
	args     []any
	answered func(m *machine, answer string, err error)
}

// request is the call that an action is, if it is one.
func (w *Worker) request(a action) (request, bool) {
	id := w.opts.ID
	switch a := a.(type) {
	case callJoin:
		return request{"join", []any{w.opts.Purpose, id, w.info}, (*machine).joinAnswered}, true
	case callKeepAlive:
		args := []any{id}
		if a.load != nil { // OWT's manager, and Muster's before this, look at the first one only
			args = append(args, *a.load)
		}
		return request{"keepAlive", args, func(m *machine, answer string, err error) {
			m.keepAliveAnswered(a.beat, answer, err)
		}}, true
	case callTasks:
		r := request{"checkWorker", []any{id, checkArg{Incarnation: w.machine.incarnation}}, func(m *machine, answer string, err error) {
			m.tasksAnswered(a.changes, answer, err)
		}}
		if a.plain {
			r.method, r.args = "getTasks", []any{id}
		}
		return r, true
	case callElsewhere:
		return request{"checkWorker", []any{id, checkArg{w.machine.incarnation, a.tasks}}, func(m *machine, answer string, err error) {
			m.elsewhereAnswered(a.changes, a.tasks, answer, err)
		}}, true
	}
	return request{}, false
}

func (p *protocol) cast(ctx context.Context, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, p.w.opts.CallTimeout)
	defer cancel()
	return p.w.conn.Cast(ctx, p.w.opts.Cluster, method, args...)
}

// end stops the goroutines. Calls must have returned before quit is sent, or a
// join on its way could overtake it.
func (p *protocol) end(ctx context.Context, g giveUp) {
	p.w.stop(g.err)
	p.calls.Wait()
	if !g.quit || errors.Is(g.err, bus.ErrClosed) {
		return
	}
	if err := p.cast(context.WithoutCancel(ctx), "quit", p.w.opts.ID); err != nil {
		p.quitErr = fmt.Errorf("worker: telling %s that %s quits: %w", p.w.opts.Cluster, p.w.opts.ID, err)
	}
}

// word reads an answer that is one word.
func word(raw json.RawMessage, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var answer string
	if json.Unmarshal(raw, &answer) != nil {
		return string(raw), nil
	}
	return answer, nil
}

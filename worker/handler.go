package worker

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// Handler answers one of the worker's own methods. Requests are handled one at
// a time, in the order in which they came: what takes long should go on in a
// goroutine that the handler starts, and be answered from there. ctx ends with
// the worker, and has the span of the caller, where it records one.
type Handler func(ctx context.Context, w *Worker, r *bus.Request)

// Handle makes a Handler of a function that takes the first argument of the
// request and returns the answer. An argument that cannot be read as an A, and
// an error that f returns, refuse the request with their text.
func Handle[A, R any](f func(ctx context.Context, w *Worker, arg A) (R, error)) Handler {
	return func(ctx context.Context, w *Worker, r *bus.Request) {
		var arg A
		if err := Decode(r.Args, &arg); err != nil {
			r.Fail(err.Error())
			return
		}
		answer, err := f(ctx, w, arg)
		if err != nil {
			r.Fail(err.Error())
			return
		}
		r.Reply(answer)
	}
}

// Decode reads the arguments of a request, the first into the first pointer
// and so on. Further arguments are ignored; one that is missing or of another
// type is an error that says which.
func Decode(args bus.Args, into ...any) error {
	for i, p := range into {
		if i >= len(args) {
			return fmt.Errorf("argument %d is missing", i+1)
		}
		if err := json.Unmarshal(args[i], p); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// requestBacklog is how many requests wait while a Handler runs.
const requestBacklog = 4096

// arrived is the bus's handler. It must not block, so that a worker that is
// too slow refuses rather than keeping the connection from its other work.
func (w *Worker) arrived(r *bus.Request) {
	select {
	case w.requests <- r:
	default:
		r.Fail(fmt.Sprintf("worker %s is too busy: %d requests wait", w.opts.ID, requestBacklog))
	}
}

// handleRequests is a goroutine of the Worker's. It goes on until no more
// requests arrive, so that late callers get a refusal.
func (w *Worker) handleRequests(ctx context.Context) {
	for {
		select {
		case <-w.unserved:
			w.refuseWaiting()
			return
		case r := <-w.requests:
			w.handle(ctx, r)
		}
	}
}

func (w *Worker) handle(ctx context.Context, r *bus.Request) {
	h := w.opts.Handlers[r.Method]
	switch {
	case ctx.Err() != nil:
		w.refuse(r)
	case h == nil:
		r.Refuse(muster.ReasonUnsupported)
	default:
		h(r.Trace.In(ctx), w, r)
	}
}

func (w *Worker) refuse(r *bus.Request) { r.Fail(fmt.Sprintf("worker %s is ending", w.opts.ID)) }

// refuseWaiting answers those who came too late for a worker that ends.
func (w *Worker) refuseWaiting() {
	for {
		select {
		case r := <-w.requests:
			w.refuse(r)
		default:
			return
		}
	}
}

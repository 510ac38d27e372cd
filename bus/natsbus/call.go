package natsbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/muster-fleet/muster/bus"
)

// Call sends a request and waits for the answer.
func (c *Conn) Call(ctx context.Context, server, method string, args ...any) (json.RawMessage, error) {
	return c.CallStatus(ctx, server, method, nil, args...)
}

// CallStatus is Call for a method that answers several times. onStatus is not
// called any more once CallStatus has returned.
func (c *Conn) CallStatus(ctx context.Context, server, method string, onStatus func(json.RawMessage), args ...any) (json.RawMessage, error) {
	return c.returned(ctx, server, method, c.call(ctx, time.Time{}, server, method, onStatus, args))
}

// CallUntil implements bus.Timed.
func (c *Conn) CallUntil(ctx context.Context, until time.Time, server, method string, args ...any) (json.RawMessage, error) {
	return c.returned(ctx, server, method, c.call(ctx, until, server, method, nil, args))
}

// returned is what a call returns for its result.
func (c *Conn) returned(ctx context.Context, server, method string, r result) (json.RawMessage, error) {
	if r.err == nil {
		bus.ReportStale(ctx, r.reply.Stale)
		bus.ReportTerm(ctx, r.reply.Term)
		r.err = r.reply.Refusal()
	} else {
		r.err = fmt.Errorf("call %q of server %q: %w", method, server, r.err)
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.reply.Data, nil
}

// call makes a call that ends with ctx and, unless that is zero, at until.
func (c *Conn) call(ctx context.Context, until time.Time, server, method string, onStatus func(json.RawMessage), args []any) result {
	if _, ok := ctx.Deadline(); !ok && until.IsZero() {
		return result{err: errors.New("the context has no deadline; a call needs one")}
	}
	subject, encoded, err := c.prepare(ctx, until, server, args)
	if err != nil {
		return result{err: err}
	}
	one, err := c.calls.begin(c.wire.number(), subject, onStatus)
	if err != nil {
		return result{err: err}
	}
	defer one.release()
	if err := c.send(ctx, subject, one.reply, method, encoded, one.number); err != nil && c.calls.abandon(one) {
		return result{err: err}
	}
	return c.wait(ctx, until, one)
}

// wait waits for the result of the call, until its deadline.
func (c *Conn) wait(ctx context.Context, until time.Time, one *call) result {
	var over error
	select {
	case r := <-one.done:
		one.stopStatus()
		return r
	case <-ctx.Done():
		over = ctx.Err()
	case <-one.overdue(until):
		over = context.DeadlineExceeded
	}
	if c.calls.abandon(one) {
		return result{err: over}
	}
	one.stopStatus()
	return <-one.done
}

// Cast sends a request that is not answered.
func (c *Conn) Cast(ctx context.Context, server, method string, args ...any) error {
	subject, encoded, err := c.prepare(ctx, time.Time{}, server, args)
	if err == nil {
		err = c.send(ctx, subject, "", method, encoded, 0)
	}
	if err != nil {
		return fmt.Errorf("cast %q to server %q: %w", method, server, err)
	}
	return nil
}

// prepare checks the connection and encodes the request.
func (c *Conn) prepare(ctx context.Context, until time.Time, server string, args []any) (string, bus.Args, error) {
	if err := c.checkUntil(ctx, until); err != nil {
		return "", nil, err
	}
	encoded, err := bus.EncodeArgs(args...)
	if err != nil {
		return "", nil, err
	}
	subject, err := c.requestSubject(server)
	return subject, encoded, err
}

// check reports why nothing can be sent now.
func (c *Conn) check(ctx context.Context) error { return c.checkUntil(ctx, time.Time{}) }

// checkUntil is check that waits for room until the given time at most, unless that
// is zero.
func (c *Conn) checkUntil(ctx context.Context, until time.Time) error {
	if c.closing.Load() {
		return bus.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.wire.ready(ctx, until)
}

// buffers are for bodies on their way to nats.go, which copies them.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (c *Conn) send(ctx context.Context, subject, reply, method string, args bus.Args, number uint64) error {
	buf := buffers.Get().(*[]byte)
	request := bus.Call{Method: method, Args: args, Trace: bus.TraceOf(ctx)}
	if reply != "" {
		request.Codes = true
		var digits [20]byte
		request.CorrID = strconv.AppendUint(digits[:0], number, 10)
	}
	body := bus.AppendCall((*buf)[:0], request)
	err := c.nc.Load().PublishRequest(subject, reply, body)
	putBuffer(buf, body)
	return c.sendError(err, len(body))
}

// putBuffer gives a buffer back, unless it has grown large.
func putBuffer(buf *[]byte, body []byte) {
	if cap(body) <= 64<<10 {
		*buf = body
		buffers.Put(buf)
	}
}

// sendError translates an error of nats.go to one of package bus.
func (c *Conn) sendError(err error, size int) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: it has %d bytes, the broker takes %d; raise its max_payload", bus.ErrTooLarge, size, c.nc.Load().MaxPayload())
	case c.closing.Load():
		return bus.ErrClosed
	}
	return fmt.Errorf("%w (%w)", bus.ErrDisconnected, err)
}

// answered passes an answer to the call that waits for it.
func (c *Conn) answered(m *nats.Msg) {
	slot, err := strconv.ParseUint(m.Subject[len(c.calls.prefix):], 36, 32)
	if err != nil {
		return
	}
	id := uint32(slot)
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		c.calls.finish(id, anyNumber, result{err: bus.ErrNoServer})
		return
	}
	reply, err := bus.ParseReply(m.Data)
	if err != nil {
		c.log.Debug("malformed answer", "err", err)
		return
	}
	number, err := strconv.ParseUint(string(reply.CorrID), 10, 64)
	switch {
	case err != nil || number == anyNumber:
	case !reply.Status:
		c.calls.finish(id, number, result{reply: reply})
	default:
		if one := c.calls.find(id, number); one != nil {
			one.status(reply.Data)
		}
	}
}

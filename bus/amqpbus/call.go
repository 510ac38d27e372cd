package amqpbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// exchangeRPC is where casts and answers go.
const exchangeRPC = "owtRpc"

// maxBody is RabbitMQ 3's default max_message_size. The broker closes the channel
// on a longer message; see limits.
const maxBody = 128 << 20

// Call implements bus.Conn.
func (c *Conn) Call(ctx context.Context, server, method string, args ...any) (json.RawMessage, error) {
	return c.CallStatus(ctx, server, method, nil, args...)
}

// CallStatus implements bus.Conn.
func (c *Conn) CallStatus(ctx context.Context, server, method string, onStatus func(json.RawMessage), args ...any) (json.RawMessage, error) {
	data, err := c.call(ctx, server, method, onStatus, args)
	if err != nil && !errors.As(err, new(*bus.RemoteError)) {
		err = fmt.Errorf("amqpbus: calling %s of %q: %w", method, server, err)
	}
	return data, err
}

func (c *Conn) call(ctx context.Context, server, method string, onStatus func(json.RawMessage), args []any) (json.RawMessage, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, errors.New("the context must have a deadline")
	}
	encoded, err := c.prepare(server, args)
	if err != nil {
		return nil, err
	}
	k, err := c.calls.begin(onStatus)
	if err != nil {
		return nil, err
	}
	defer c.calls.end(k)
	if err := c.sendCall(ctx, k, server, bus.Call{Method: method, Args: encoded, Codes: true, Trace: bus.TraceOf(ctx)}); err != nil {
		return nil, err
	}
	select {
	case a := <-k.done:
		bus.ReportStale(ctx, a.stale)
		bus.ReportTerm(ctx, a.term)
		return a.data, a.err
	case <-ctx.Done():
		return nil, c.closedHere(ctx.Err())
	}
}

func (c *Conn) prepare(server string, args []any) (bus.Args, error) {
	if err := checkName("server", server); err != nil {
		return nil, err
	}
	return bus.EncodeArgs(args...)
}

// sendCall reads the name of the reply queue after the call is registered: if
// that queue is lost in between, the call fails or uses the new one.
func (c *Conn) sendCall(ctx context.Context, k *call, server string, request bus.Call) error {
	s, err := c.current()
	if err != nil {
		return err
	}
	replyTo := s.replyTo.Load()
	if replyTo == nil {
		return bus.ErrDisconnected
	}
	request.CorrID = strconv.AppendUint(nil, k.id, 10)
	request.ReplyTo = *replyTo
	return c.closedHere(c.sendRequest(ctx, s, message{key: server, mandatory: true}, request))
}

// Cast implements bus.Conn.
func (c *Conn) Cast(ctx context.Context, server, method string, args ...any) error {
	return wrapped(c.cast(ctx, server, method, args), "casting %s to %q", method, server)
}

// wrapped adds to an error what was being done; nil stays nil.
func wrapped(err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("amqpbus: %s: %w", fmt.Sprintf(doing, args...), err)
}

func (c *Conn) cast(ctx context.Context, server, method string, args []any) error {
	encoded, err := c.prepare(server, args)
	if err != nil {
		return err
	}
	s, err := c.current()
	if err != nil {
		return err
	}
	request := bus.Call{Method: method, Args: encoded, Trace: bus.TraceOf(ctx)}
	return c.closedHere(c.sendRequest(ctx, s, message{exchange: exchangeRPC, key: server}, request))
}

func (c *Conn) sendRequest(ctx context.Context, s *session, m message, request bus.Call) error {
	buf := c.buffers.get()
	defer c.buffers.put(buf)
	*buf = bus.AppendCall((*buf)[:0], request)
	m.body = *buf
	return s.rpc.publish(ctx, m)
}

// newReplyConsumer returns the consumer of the reply queue.
func newReplyConsumer(c *Conn) *consumer {
	k := newConsumer(c, "reply queue")
	k.declare = func(ch *amqp.Channel) (string, error) {
		if err := declareRPC(ch); err != nil {
			return "", err
		}
		return declareOwn(ch, exchangeRPC, "")
	}
	k.ready = func(s *session, queue string) {
		if s.replyTo.Swap(&queue) != nil {
			c.calls.failAll(fmt.Errorf("%w: the reply queue was lost", bus.ErrDisconnected))
		}
	}
	k.handle = c.calls.answered
	return k
}

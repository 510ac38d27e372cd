package amqpbus

import (
	"context"
	"fmt"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
)

// ServerBacklog is how many requests wait for the handler of a server.
const ServerBacklog = 16384

// reasonOverloaded refuses a call for which there is no room.
const reasonOverloaded = "server is overloaded"

// service is a server that is running.
type service struct {
	conn      *Conn
	name      string
	handler   bus.Handler
	consumer  *consumer
	inbox     *inbox
	malformed atomic.Uint64
	refusing  atomic.Bool // the inbox was full when last seen
}

// Serve implements bus.Conn. Several servers of one name, on one Conn or on
// several, share its requests.
func (c *Conn) Serve(ctx context.Context, server string, h bus.Handler) (bus.Service, error) {
	if err := checkName("server", server); err != nil {
		return nil, err
	}
	s := &service{conn: c, name: server, handler: h}
	s.inbox = newInbox(ServerBacklog, s.handle)
	k := newConsumer(c, "server "+server)
	k.declare = func(ch *amqp.Channel) (string, error) {
		if err := declareRPC(ch); err != nil {
			return "", err
		}
		return server, declareServer(ch, server)
	}
	k.handle = s.receive
	k.stop = s.inbox.close
	s.consumer = k
	if err := c.consume(ctx, k); err != nil {
		return nil, fmt.Errorf("amqpbus: serving %q: %w", server, err)
	}
	return s, nil
}

// Malformed implements bus.Service.
func (s *service) Malformed() uint64 { return s.malformed.Load() }

// Close implements bus.Service. Requests that have arrived are handled first.
func (s *service) Close() error {
	s.conn.forget(s.consumer)
	s.consumer.close()
	return nil
}

// receive keeps a request for the handler.
func (s *service) receive(d amqp.Delivery) {
	if s.inbox.put(letter{body: d.Body}) {
		s.refusing.Store(false)
		return
	}
	if !s.refusing.Swap(true) {
		s.conn.log.Warn("requests come faster than they are handled, refusing some", "server", s.name)
	}
	if call, err := bus.ParseCall(d.Body); err == nil {
		if send := s.answerer(call); send != nil {
			bus.NewRequest(call, send).Fail(reasonOverloaded)
		}
	}
}

func (s *service) handle(l letter) {
	call, err := bus.ParseCall(l.body)
	if err == nil && len(call.ReplyTo) > maxName {
		err = fmt.Errorf("request: replyTo has more than %d bytes", maxName)
	}
	send := s.answerer(call)
	if err != nil {
		s.malformed.Add(1)
		s.conn.log.Debug("malformed request", "server", s.name, "error", err)
		if send != nil {
			bus.NewRequest(call, send).Fail(err.Error())
		}
		return
	}
	s.handler(bus.NewRequest(call, send))
}

// answerer returns what sends the answers to a call, nil if nobody waits for
// one or it cannot be told who.
func (s *service) answerer(call bus.Call) func(bus.Reply) {
	if call.CorrID == nil || call.ReplyTo == "" || len(call.ReplyTo) > maxName {
		return nil
	}
	return func(r bus.Reply) {
		r.CorrID = call.CorrID
		s.conn.answer(call.ReplyTo, r)
	}
}

// answer sends an answer on the connection that there is now. If there is none,
// or it is stuck, the answer is lost, as the caller's deadline allows for.
func (c *Conn) answer(replyTo string, r bus.Reply) {
	session := c.session.Load()
	if session == nil || session.wire.unsent() > hardLimit {
		c.log.Debug("an answer is lost: no connection, or one that is stuck")
		return
	}
	buf := c.buffers.get()
	defer c.buffers.put(buf)
	*buf = bus.AppendReply((*buf)[:0], r)
	if len(*buf) > maxBody {
		r = bus.Reply{CorrID: r.CorrID, Failed: true, Err: fmt.Sprintf("the answer has more than %d bytes", maxBody)}
		*buf = bus.AppendReply((*buf)[:0], r)
	}
	if err := session.rpc.publishNow(message{exchange: exchangeRPC, key: replyTo, body: *buf}); err != nil {
		c.log.Debug("an answer is lost", "error", err)
	}
}

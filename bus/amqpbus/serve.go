package amqpbus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/internal/intake"
)

// ServerBacklog is how many requests wait for the handler of a server.
const ServerBacklog = 16384

// service is a server that is running.
type service struct {
	conn      *Conn
	name      string
	handler   bus.Handler
	consumer  *consumer
	handling  sync.Mutex // one request at a time
	inbox     *inbox
	signs     *inbox // signs of life
	bulk      *intake.Bulk[letter]
	malformed atomic.Uint64
	refusing  atomic.Bool // the inbox was full when last seen
}

// Serve implements bus.Conn. Several servers of one name, on one Conn or on
// several, share its requests.
func (c *Conn) Serve(ctx context.Context, server string, h bus.Handler) (bus.Service, error) {
	if err := checkName("server", server); err != nil {
		return nil, err
	}
	s := newService(c, server, h)
	s.consumer.handle = func(d amqp.Delivery) { s.receive(letter{body: d.Body}) }
	s.consumer.stop = func() {
		s.inbox.close()
		s.signs.close()
		s.bulk.Wait()
	}
	if err := c.consume(ctx, s.consumer); err != nil {
		return nil, fmt.Errorf("amqpbus: serving %q: %w", server, err)
	}
	return s, nil
}

// newService leaves to its caller what is done with deliveries and at the end.
func newService(c *Conn, server string, h bus.Handler) *service {
	s := &service{conn: c, name: server, handler: h, consumer: newConsumer(c, "server "+server)}
	s.inbox = newInbox(ServerBacklog, s.handle)
	s.signs = newInbox(ServerBacklog, s.read)
	s.bulk = intake.NewBulk(s.read)
	s.consumer.declare = func(ch *amqp.Channel) (string, error) {
		if err := declareRPC(ch); err != nil {
			return "", err
		}
		return server, declareServer(ch, server)
	}
	return s
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
func (s *service) receive(l letter) {
	if s.keep(l) {
		s.refusing.Store(false)
	} else {
		s.refuse(l)
	}
}

// refuse ends a request for which there is no room.
func (s *service) refuse(l letter) {
	if !s.refusing.Swap(true) {
		s.conn.log.Warn("requests come faster than they are handled, refusing some", "server", s.name)
	}
	var call bus.Call
	if len(l.body) < intake.Large {
		call, _ = bus.ParseCall(l.body)
	} else {
		call.CorrID, call.ReplyTo = intake.Address(l.body)
	}
	s.request(call, l).Fail(bus.Overloaded)
}

// keep sorts a request, and reports false if there is no room. It is quick,
// since what waits in the client library is not sorted.
func (s *service) keep(l letter) bool {
	if intake.IsSign(l.body) {
		return s.signs.put(l)
	}
	return s.inbox.put(l)
}

// sender stands for whoever sent a request.
func (l letter) sender() string {
	if _, replyTo := intake.Address(l.body); replyTo != "" {
		return replyTo
	}
	return intake.Subject(l.body)
}

// handle reads a request, or leaves that to another goroutine where it takes
// long.
func (s *service) handle(l letter) {
	switch {
	case !s.bulk.Takes(len(l.body), l.sender):
		s.read(l)
	case !s.bulk.Put(l, len(l.body), l.sender()):
		s.refuse(l)
	}
}

// read hands a request to the handler.
func (s *service) read(l letter) {
	if s.inbox.skip.Load() {
		return
	}
	if l.held != nil && !l.held.isHeld() {
		return // another member has it
	}
	call, err := bus.ParseCall(l.body)
	if err == nil && len(call.ReplyTo) > maxName {
		err = fmt.Errorf("request: replyTo has more than %d bytes", maxName)
	}
	r := s.request(call, l)
	if err != nil {
		s.malformed.Add(1)
		s.conn.log.Debug("malformed request", "server", s.name, "error", err)
		r.Fail(err.Error())
		return
	}
	s.handling.Lock()
	defer s.handling.Unlock()
	s.handler(r)
}

// request makes one whose answers are sent, if somebody waits for them and it
// can be told who.
func (s *service) request(call bus.Call, l letter) *bus.Request {
	var send func(bus.Reply)
	if call.CorrID != nil && call.ReplyTo != "" && len(call.ReplyTo) <= maxName {
		send = func(r bus.Reply) {
			r.CorrID = call.CorrID
			s.answer(call.ReplyTo, r, l.held)
		}
	}
	r := bus.NewRequest(call, send)
	if l.held != nil {
		r = bus.NewHeldRequest(call, send, l.held.settle)
		r.Again = l.held.again
	}
	r.From, r.Size = call.ReplyTo, len(l.body)
	return r
}

// answer sends an answer to a request. If the broker holds that, it is told
// afterwards; an answer that could not be sent leaves the request held.
func (s *service) answer(replyTo string, r bus.Reply, k *held) {
	if k == nil {
		if session := s.conn.session.Load(); session != nil {
			s.conn.answer(session, session.rpc.publishNow, replyTo, r)
		}
		return
	}
	if k.isHeld() && s.conn.answer(k.hold.session, k.hold.publish, replyTo, r) && !r.Status {
		k.settle(true)
	}
}

// answer sends an answer. If the connection is stuck, the answer is lost, as the
// caller's deadline allows for; then it returns false.
func (c *Conn) answer(session *session, publish func(message) error, replyTo string, r bus.Reply) bool {
	if session.wire.unsent() > hardLimit {
		c.log.Debug("an answer is lost: the connection is stuck")
		return false
	}
	buf := c.buffers.get()
	defer c.buffers.put(buf)
	*buf = bus.AppendReply((*buf)[:0], r)
	if most := c.limits.maxBody(); len(*buf) > most {
		r = bus.Reply{CorrID: r.CorrID, Failed: true, Err: fmt.Sprintf("the answer has %d bytes, the broker takes %d", len(*buf), most)}
		*buf = bus.AppendReply((*buf)[:0], r)
	}
	err := publish(message{exchange: exchangeRPC, key: replyTo, body: *buf})
	if err != nil {
		c.log.Debug("an answer is lost", "error", err)
	}
	return err == nil
}

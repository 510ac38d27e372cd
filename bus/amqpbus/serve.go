package amqpbus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/internal/intake"
)

// ServerBacklog is how many requests wait for the handler of a server.
const ServerBacklog = 16384

// service is a server that is running.
type service struct {
	conn       *Conn
	name       string
	limit      int // of a request, in bytes; 0 is none
	handler    bus.Handler
	consumer   *consumer
	handling   sync.Mutex // one request at a time
	inbox      *inbox
	keepAlives *inbox
	bulk       *intake.Bulk[item]
	malformed  atomic.Uint64
	refusing   atomic.Bool // the inbox was full when last seen
}

// Serve implements bus.Conn. Several servers of one name, on one Conn or on
// several, share its requests.
func (c *Conn) Serve(ctx context.Context, server string, h bus.Handler) (bus.Service, error) {
	if err := checkName("server", server); err != nil {
		return nil, err
	}
	s := newService(ctx, c, server, h)
	s.consumer.handle = func(d amqp.Delivery) { s.receive(item{body: d.Body}) }
	s.consumer.stop = func() {
		s.inbox.close()
		s.keepAlives.close()
		s.bulk.Wait()
	}
	if err := c.consume(ctx, s.consumer); err != nil {
		return nil, fmt.Errorf("amqpbus: serving %q: %w", server, err)
	}
	return s, nil
}

// newService returns a service; callers set the consumer's handle and stop.
func newService(ctx context.Context, c *Conn, server string, h bus.Handler) *service {
	s := &service{conn: c, name: server, limit: bus.RequestLimit(ctx), handler: h, consumer: newConsumer(c, "server "+server)}
	s.inbox = newInbox(ServerBacklog, s.handle)
	s.keepAlives = newInbox(ServerBacklog, s.read)
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

// receive queues a request for the handler, or refuses it.
func (s *service) receive(l item) {
	switch {
	case s.limit > 0 && len(l.body) > s.limit:
		s.refuseWith(l, bus.TooLarge(len(l.body), s.limit))
	case s.keep(l):
		s.refusing.Store(false)
	default:
		s.refuse(l)
	}
}

// refuse answers a request for which there is no room.
func (s *service) refuse(l item) {
	if !s.refusing.Swap(true) {
		s.conn.log.Warn("server overloaded, refusing requests", "server", s.name)
	}
	s.refuseWith(l, muster.ReasonOverloaded)
}

// refuseWith refuses a request that was not read: it may have asked for codes. No
// program of OWT's refuses like this, so that none is surprised by one.
func (s *service) refuseWith(l item, reason muster.Reason) {
	var call bus.Call
	if len(l.body) < intake.Large {
		call, _ = bus.ParseCall(l.body)
	} else {
		call.CorrID, call.ReplyTo = intake.Address(l.body)
	}
	call.Codes = true
	s.request(call, l).Refuse(reason)
}

// passAfter is how many requests wait before signs of life pass them.
const passAfter = 64

// keep queues a request, and reports false if there is no room. Signs of life
// pass the others where many wait. Otherwise all keep their order, so that a load
// that is reported before a task is asked for counts for it. It must be quick:
// the client library's own queue delays signs of life and other requests alike.
func (s *service) keep(l item) bool {
	if (s.inbox.waiting() >= passAfter || s.keepAlives.waiting() > 0) && intake.IsKeepAlive(l.body) {
		return s.keepAlives.put(l)
	}
	return s.inbox.put(l)
}

// sender identifies the sender of a request.
func (l item) sender() string {
	if _, replyTo := intake.Address(l.body); replyTo != "" {
		return replyTo
	}
	return intake.Subject(l.body)
}

// handle parses a request, or leaves a large one to another goroutine.
func (s *service) handle(l item) {
	switch {
	case !s.bulk.Takes(len(l.body), l.sender):
		s.read(l)
	case !s.bulk.Put(l, len(l.body), l.sender()):
		s.refuse(l)
	}
}

// read parses a request and calls the handler.
func (s *service) read(l item) {
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
		s.conn.log.Debug("malformed request", "server", s.name, "err", err)
		r.Fail(err.Error())
		return
	}
	s.handling.Lock()
	defer s.handling.Unlock()
	s.handler(r)
}

// request returns a bus.Request whose answers are sent to replyTo, if the call
// has one that is valid.
func (s *service) request(call bus.Call, l item) *bus.Request {
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

// answer sends an answer to a request, which then is acknowledged if the broker
// holds it. If the answer cannot be sent, the request stays held.
func (s *service) answer(replyTo string, r bus.Reply, k *held) {
	if k == nil {
		if session := s.conn.session.Load(); session != nil {
			s.conn.answer(session, session.rpc.publishNow, replyTo, r)
		}
		return
	}
	if !k.isHeld() {
		return
	}
	settles := k
	if r.Status {
		settles = nil
	}
	a := k.hold.answers
	publish := func(m message) error { return a.publish(m, settles) }
	if !s.conn.answer(k.hold.session, publish, replyTo, r) && settles != nil {
		a.dropped(settles)
	}
}

// answer sends an answer. If the connection is stuck it drops the answer and
// returns false; the caller's deadline covers that.
func (c *Conn) answer(session *session, publish func(message) error, replyTo string, r bus.Reply) bool {
	if session.wire.Unsent() > hardLimit {
		c.log.Debug("answer dropped: connection is stuck")
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
		c.log.Debug("answer not sent", "err", err)
	}
	return err == nil
}

package natsbus

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/internal/intake"
	"github.com/muster-fleet/muster/bus/natsbus/natsauth"
)

// service is a running server.
type service struct {
	*subscription
	conn      *Conn
	handler   bus.Handler
	limit     int        // of a request, in bytes; 0 is none
	handling  sync.Mutex // one request at a time
	bulk      *intake.Bulk[*nats.Msg]
	malformed atomic.Uint64
	refusing  atomic.Bool // there was no room when last seen
}

func newService(ctx context.Context, c *Conn, h bus.Handler) *service {
	s := &service{conn: c, handler: h, limit: bus.RequestLimit(ctx)}
	s.bulk = intake.NewBulk(s.read)
	return s
}

// Serve receives the requests to a server. Servers of one name share them.
func (c *Conn) Serve(ctx context.Context, server string, h bus.Handler) (bus.Service, error) {
	s := newService(ctx, c, h)
	err := c.check(ctx)
	if err == nil {
		err = s.start(ctx, server)
	}
	if err != nil {
		return nil, fmt.Errorf("serve %q: %w", server, err)
	}
	return s, nil
}

func (s *service) start(ctx context.Context, server string) error {
	subject, err := s.conn.serveSubject(server)
	if err != nil {
		return err
	}
	s.subscription = s.conn.newSubscription(subject, queueGroup, serviceLimit, s.take)
	s.last = s.bulk.Wait
	if err := s.register(ctx); err != nil {
		s.end((*nats.Subscription).Unsubscribe)
		return err
	}
	return nil
}

// take is called for one message at a time. It never blocks, so that nothing waits
// in nats.go, which does not prefer keep-alives.
func (s *service) take(m *nats.Msg) {
	switch sender := func() string { return sender(m) }; {
	case s.limit > 0 && len(m.Data) > s.limit:
		s.refuseWith(m, bus.TooLarge(len(m.Data), s.limit))
	case !s.bulk.Takes(len(m.Data), sender):
		s.read(m)
	case s.bulk.Put(m, len(m.Data), sender()):
		s.refusing.Store(false)
	default:
		s.refuse(m)
	}
}

// sender identifies the sender of a message.
func sender(m *nats.Msg) string {
	if m.Reply != "" {
		return caller(m.Reply)
	}
	return intake.Subject(m.Data)
}

// refuse answers a request for which there is no room.
func (s *service) refuse(m *nats.Msg) {
	if !s.refusing.Swap(true) {
		s.conn.log.Warn("server overloaded by large requests, refusing some", "subject", m.Subject)
	}
	s.refuseWith(m, muster.ReasonOverloaded)
}

// refuseWith refuses a request that was not read: it may have asked for codes.
func (s *service) refuseWith(m *nats.Msg, reason muster.Reason) {
	if _, ok := s.from(m); ok && m.Reply != "" {
		corrID, _ := intake.Address(m.Data)
		s.conn.answer(m.Reply, bus.Reply{Failed: true, Err: reason.Text, Code: reason.Code, CorrID: corrID})
	}
}

// read parses a request and calls the handler.
func (s *service) read(m *nats.Msg) {
	if s.conn.closing.Load() {
		return
	}
	from, ok := s.from(m)
	if !ok {
		s.malformed.Add(1)
		return
	}
	call, err := bus.ParseCall(m.Data)
	if err != nil {
		s.malformed.Add(1)
		s.conn.log.Debug("malformed request", "subject", m.Subject, "err", err)
		if m.Reply != "" {
			s.conn.answer(m.Reply, bus.Reply{Failed: true, Err: err.Error(), CorrID: call.CorrID})
		}
		return
	}
	req := bus.NewRequest(call, s.conn.sender(m.Reply, call))
	req.From, req.Size, req.Sender = caller(m.Reply), len(m.Data), from
	s.handling.Lock()
	defer s.handling.Unlock()
	s.handler(req)
}

// from returns who sent a request, where the server knows. It reports false for one
// that wants its answer sent to somebody else: this Conn may publish where its sender
// may not.
func (s *service) from(m *nats.Msg) (who bus.Identity, ok bool) {
	if s.conn.self == (bus.Identity{}) {
		return who, true
	}
	who, replyTo, ok := natsauth.SenderOf(m.Subject)
	return who, ok && (m.Reply == "" || strings.HasPrefix(m.Reply, replyTo))
}

// caller is the common prefix of the reply subjects of one Conn.
func caller(reply string) string { return reply[:strings.LastIndexByte(reply, '.')+1] }

// sender answers a request; nil for a cast.
func (c *Conn) sender(to string, call bus.Call) func(bus.Reply) {
	if to == "" {
		return nil
	}
	corrID := call.CorrID
	return func(r bus.Reply) {
		r.CorrID = corrID
		c.answer(to, r)
	}
}

// answer sends an answer. If that fails the caller times out, except that an answer
// that is too large is replaced by a refusal.
func (c *Conn) answer(to string, r bus.Reply) {
	if c.closing.Load() || !c.wire.up.Load() {
		return
	}
	size, err := c.publishReply(to, r)
	if size > int(c.nc.Load().MaxPayload()) && err != nil && !r.Status {
		reason := fmt.Sprintf("the answer has %d bytes, more than the broker takes", size)
		_, err = c.publishReply(to, bus.Reply{Failed: true, Err: reason, CorrID: r.CorrID})
	}
	if err != nil {
		c.log.Debug("answer not sent", "err", err)
	}
}

func (c *Conn) publishReply(to string, r bus.Reply) (size int, err error) {
	buf := buffers.Get().(*[]byte)
	body := bus.AppendReply((*buf)[:0], r)
	err = c.nc.Load().Publish(to, body)
	putBuffer(buf, body)
	return len(body), err
}

// Malformed counts the bodies that could not be read as a request.
func (s *service) Malformed() uint64 { return s.malformed.Load() }

// Close stops receiving, lets the handler process the requests received so far, and
// waits for it.
func (s *service) Close() error {
	s.end(closeMode(s.conn))
	return nil
}

package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster"
)

// Request is a call or a cast that arrived at a server.
type Request struct {
	Method string
	Args   Args
	// From distinguishes callers: it is where the sender's answers go. It is empty
	// if the queue does not say, as for a cast, and is not authenticated.
	From string
	// Sender is who sent the request, where the queue vouches for it; else zero.
	Sender Identity
	// ID is the caller's number for a call, as JSON; nil for a cast.
	ID json.RawMessage
	// Again reports that the queue has delivered the request before, to this
	// member or to another. RabbitMQ's classic queues do not count how often.
	Again bool
	// Size is that of the body, in bytes.
	Size int
	// Trace is the sender's trace context.
	Trace TraceContext

	send   func(Reply)
	settle func(done bool) // nil unless a queue holds the request
	codes  bool            // the caller reads codes
	stale  time.Duration
	term   uint64
	ended  atomic.Bool
}

// NewRequest is for implementations of Conn: send sends an answer to the caller
// and is nil for a cast. It must not block for long, and may be called
// from any goroutine.
func NewRequest(c Call, send func(Reply)) *Request {
	return &Request{Method: c.Method, Args: c.Args, ID: c.CorrID, Trace: c.Trace, codes: c.Codes, send: send}
}

// NewHeldRequest is NewRequest for a queue that holds the request until it is
// acknowledged. Exactly one of two things happens, once: send is called with the
// last answer, and acknowledges the request; or settle is called, with true to
// acknowledge it without an answer, with false to hand it back.
func NewHeldRequest(c Call, send func(Reply), settle func(done bool)) *Request {
	return &Request{Method: c.Method, Args: c.Args, ID: c.CorrID, Trace: c.Trace, codes: c.Codes, send: send, settle: settle}
}

// Wanted reports whether the caller waits for an answer: false for a cast.
func (r *Request) Wanted() bool { return r.send != nil }

// Held reports whether a queue holds the request, so that it can be given back.
func (r *Request) Held() bool { return r.settle != nil }

// Stale marks the next answer as based on a state of that age, which may be out of
// date. Only the goroutine that answers may call it.
func (r *Request) Stale(age time.Duration) { r.stale = age }

// Term sets the leader's term in the next answer: see OnTerm. 0 means none.
func (r *Request) Term(term uint64) { r.term = term }

// Reply answers with data, encoded as JSON. Only the first of Reply, Fail, Done
// and GiveBack counts. For a cast Reply and Fail are Done.
func (r *Request) Reply(data any) {
	raw, err := encode(data)
	if err != nil {
		r.Fail(fmt.Sprintf("the answer cannot be encoded: %v", err))
		return
	}
	r.finish(Reply{Data: raw})
}

// Status sends an intermediate answer; Reply or Fail must follow.
func (r *Request) Status(data any) {
	raw, err := encode(data)
	if err == nil && r.send != nil && !r.ended.Load() {
		r.send(Reply{Data: raw, Status: true})
	}
}

// Fail refuses the request. The reason should say what to do.
func (r *Request) Fail(reason string) { r.finish(Reply{Failed: true, Err: reason}) }

// Refuse refuses the request, with a code if why is, or wraps, a muster.Reason.
func (r *Request) Refuse(why error) { r.refuse(why, nil) }

// RefuseDetail is Refuse with additional information, encoded as JSON.
func (r *Request) RefuseDetail(why error, detail any) {
	raw, _ := json.Marshal(detail) // nil if it has no JSON
	r.refuse(why, raw)
}

func (r *Request) refuse(why error, detail json.RawMessage) {
	reply := Reply{Failed: true, Err: why.Error(), Detail: detail}
	if reason := (muster.Reason{}); r.codes && errors.As(why, &reason) {
		reply.Code = reason.Code
	}
	r.finish(reply)
}

// Done ends a request without an answer: a cast that was carried out. The
// caller of a call then times out.
func (r *Request) Done() {
	if r.end() && r.settle != nil {
		r.settle(true)
	}
}

// GiveBack hands the request back to the queue, which soon hands it to the
// leader, or to another member, or to this one again. It does nothing and reports
// false if no queue holds the request, or it has ended: then the Handler must
// answer it.
func (r *Request) GiveBack() bool {
	if r.settle == nil || !r.end() {
		return false
	}
	r.settle(false)
	return true
}

func (r *Request) finish(reply Reply) {
	switch {
	case !r.end():
	case r.send != nil:
		reply.Stale, reply.Term = r.stale, r.term
		r.send(reply)
	case r.settle != nil:
		r.settle(true)
	}
}

// end reports whether it was called for the first time.
func (r *Request) end() bool { return r.ended.CompareAndSwap(false, true) }

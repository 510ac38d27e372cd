package bus

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"
)

// Request is a call or a cast that arrived at a server.
type Request struct {
	Method string
	Args   Args
	// From tells callers apart: where the sender's answers go. It is empty
	// where the queue does not say, as for a cast, and nobody vouches for it.
	From string
	// ID is the caller's number for a call, as JSON; nil for a cast.
	ID json.RawMessage
	// Again tells that the queue has delivered the request before, to this
	// member or to another. How often is more than RabbitMQ says of its classic
	// queues.
	Again bool
	// Size is that of the body, in bytes.
	Size int

	send   func(Reply)
	settle func(done bool) // nil unless a queue holds the request
	stale  time.Duration
	term   uint64
	ended  atomic.Bool
}

// NewRequest is for those who implement a Conn: send gives an answer to the
// caller and is nil for a cast. It must not block for long, and may be called
// from any goroutine.
func NewRequest(c Call, send func(Reply)) *Request {
	return &Request{Method: c.Method, Args: c.Args, ID: c.CorrID, send: send}
}

// NewHeldRequest is NewRequest for a queue that holds the request until it is
// dealt with. Of two things one happens, once: the last answer is sent, and send
// sees to the rest; or settle is called, with true if it was dealt with without
// an answer, with false to hand it back.
func NewHeldRequest(c Call, send func(Reply), settle func(done bool)) *Request {
	return &Request{Method: c.Method, Args: c.Args, ID: c.CorrID, send: send, settle: settle}
}

// Wanted reports whether the caller waits for an answer: false for a cast.
func (r *Request) Wanted() bool { return r.send != nil }

// Held reports whether a queue holds the request, so that it can be given back.
func (r *Request) Held() bool { return r.settle != nil }

// Stale marks the answer that follows as one from a state of that age, which may
// be out of date. It belongs to whoever answers.
func (r *Request) Stale(age time.Duration) { r.stale = age }

// Term puts into the answer that follows in which term whoever answers leads:
// see OnTerm. 0 says none.
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

// Status gives one of several answers; Reply or Fail must follow.
func (r *Request) Status(data any) {
	raw, err := encode(data)
	if err == nil && r.send != nil && !r.ended.Load() {
		r.send(Reply{Data: raw, Status: true})
	}
}

// Fail refuses, with a reason that a person can act on.
func (r *Request) Fail(reason string) { r.finish(Reply{Failed: true, Err: reason}) }

// FailDetail refuses, and says more in detail, encoded as JSON.
func (r *Request) FailDetail(reason string, detail any) {
	raw, err := json.Marshal(detail)
	if err != nil {
		raw = nil
	}
	r.finish(Reply{Failed: true, Err: reason, Detail: raw})
}

// Done ends a request without an answer: a cast that was carried out. A call is
// left to its caller's deadline.
func (r *Request) Done() {
	if r.end() && r.settle != nil {
		r.settle(true)
	}
}

// GiveBack hands the request back to the queue, which soon hands it to the
// leader, or to another member, or to this one again. It reports false, and has
// done nothing, where no queue holds the request, or it was ended before: what
// is to become of it is then still for the Handler to say.
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

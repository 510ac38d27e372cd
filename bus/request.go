package bus

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
)

// Request is a call or a cast that arrived at a server.
type Request struct {
	Method string
	Args   Args

	send     func(Reply)
	answered atomic.Bool
}

// NewRequest is for those who implement a Conn: send gives an answer to the
// caller and is nil for a cast. It must not block for long, and may be called
// from any goroutine.
func NewRequest(c Call, send func(Reply)) *Request {
	return &Request{Method: c.Method, Args: c.Args, send: send}
}

// Wanted reports whether the caller waits for an answer: false for a cast.
func (r *Request) Wanted() bool { return r.send != nil }

// Reply answers with data, encoded as JSON. Only the first of Reply and Fail
// counts; for a cast neither does anything.
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
	if err == nil && r.send != nil && !r.answered.Load() {
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

func (r *Request) finish(reply Reply) {
	if r.send != nil && r.answered.CompareAndSwap(false, true) {
		r.send(reply)
	}
}

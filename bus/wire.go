package bus

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
)

// Call is a request on the wire: OWT's JSON object with the members method,
// args and, where an answer is wanted, corrID and replyTo.
type Call struct {
	Method string
	Args   Args
	// CorrID is the caller's number for the call, as JSON; OWT's programs count
	// from 0. Nil in a cast.
	CorrID json.RawMessage
	// ReplyTo is where the answer goes, on queues that need it in the body.
	ReplyTo string
	// Codes asks for the code of a refusal, which OWT's programs do not send.
	Codes bool
	// Trace is the sender's trace context. OWT's programs ignore it.
	Trace TraceContext
}

// Reply is an answer on the wire.
type Reply struct {
	// Data is the answer as JSON; "error" where Err is set.
	Data json.RawMessage
	// Status reports that more answers follow (type "onStatus").
	Status bool
	// Err is the refusal. Failed distinguishes an empty refusal from none.
	Err    string
	Failed bool
	// Code is the kind of the refusal, for callers that ask for it.
	Code muster.Code
	// Detail goes with a refusal; OWT's programs ignore it.
	Detail json.RawMessage
	// CorrID is the number of the call.
	CorrID json.RawMessage
	// Stale is the age of the state that the answer is based on, 0 if it is up to
	// date. OWT's programs ignore it.
	Stale time.Duration
	// Term is the term of the manager that answers, 0 if unknown. OWT's
	// programs ignore it.
	Term uint64
}

const (
	typeCallback = "callback"
	typeStatus   = "onStatus"
)

// ParseCall reads a request. On error the Call still has CorrID and ReplyTo if
// they could be parsed, so that an error can be sent to the caller. It keeps parts
// of body, which must not be changed afterwards.
func ParseCall(body []byte) (Call, error) {
	var c Call
	if err := checkJSON(body); err != nil {
		return c, fmt.Errorf("request %w", err)
	}
	root := gjson.Parse(alias(body))
	if !root.IsObject() {
		return c, errors.New("request must be a JSON object with the members method and args")
	}
	var method, args gjson.Result
	root.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "method":
			method = value
		case "args":
			args = value
		case "corrID":
			c.CorrID = raw(body, value)
		case "replyTo":
			c.ReplyTo = value.Str
		case "codes":
			c.Codes = value.Bool()
		case "traceparent", "tracestate":
			c.Trace.Set(key.Str, strings.Clone(value.Str)) // it may outlive the body
		}
		return true
	})
	if method.Type != gjson.String {
		return c, errors.New("request: method must be a string")
	}
	c.Method = method.Str
	switch {
	case !args.Exists() || args.Type == gjson.Null:
	case args.IsArray():
		c.Args = make(Args, 0, 5) // as many as schedule has
		args.ForEach(func(_, value gjson.Result) bool {
			c.Args = append(c.Args, raw(body, value))
			return true
		})
	default:
		return c, errors.New("request: args must be an array")
	}
	return c, nil
}

// alias returns body as a string without a copy. The string is valid as long as
// body is not changed.
func alias(body []byte) string { return unsafe.String(unsafe.SliceData(body), len(body)) }

// raw returns the part of body that holds the value.
func raw(body []byte, value gjson.Result) json.RawMessage {
	end := value.Index + len(value.Raw)
	return body[value.Index:end:end]
}

// AppendCall appends the request's JSON to dst.
func AppendCall(dst []byte, c Call) []byte {
	dst = append(dst, `{"method":`...)
	dst = appendString(dst, c.Method)
	dst = append(dst, `,"args":[`...)
	for i, a := range c.Args {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, a...)
	}
	dst = append(dst, ']')
	if c.Codes {
		dst = append(dst, `,"codes":true`...)
	}
	dst = appendText(dst, `,"traceparent":`, c.Trace.Parent)
	dst = appendText(dst, `,"tracestate":`, c.Trace.State)
	dst = appendRaw(dst, `,"corrID":`, c.CorrID) // this and replyTo come last: see intake.Address
	dst = appendText(dst, `,"replyTo":`, c.ReplyTo)
	return append(dst, '}')
}

// appendText appends a member whose value is a string, unless that is empty.
func appendText(dst []byte, member, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(dst, member...), value)
}

// appendRaw appends a member whose value is JSON, unless there is none.
func appendRaw(dst []byte, member string, value json.RawMessage) []byte {
	if len(value) == 0 {
		return dst
	}
	return append(append(dst, member...), value...)
}

// ParseReply reads an answer. It keeps parts of body, which must not be changed
// afterwards.
func ParseReply(body []byte) (Reply, error) {
	var r Reply
	if err := checkJSON(body); err != nil {
		return r, fmt.Errorf("answer %w", err)
	}
	root := gjson.Parse(alias(body))
	if !root.IsObject() {
		return r, errors.New("answer must be a JSON object")
	}
	root.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "data":
			r.Data = raw(body, value)
		case "corrID":
			r.CorrID = raw(body, value)
		case "type":
			r.Status = value.Str == typeStatus
		case "err":
			r.Failed = value.Type != gjson.Null
			r.Err = value.String()
		case "code":
			r.Code = muster.Code(value.String())
		case "detail":
			r.Detail = raw(body, value)
		case "stale":
			r.Stale = staleAge(value.Num)
		case "term":
			r.Term = value.Uint()
		}
		return true
	})
	return r, nil
}

// AppendReply appends the answer's JSON to dst, its members in the order in
// which OWT's programs write them.
func AppendReply(dst []byte, r Reply) []byte {
	dst = append(dst, `{"data":`...)
	switch {
	case r.Failed:
		dst = append(dst, `"error"`...)
	case len(r.Data) == 0:
		dst = append(dst, "null"...)
	default:
		dst = append(dst, r.Data...)
	}
	dst = appendRaw(dst, `,"corrID":`, r.CorrID)
	dst = append(dst, `,"type":"`...)
	if r.Status {
		dst = append(dst, typeStatus...)
	} else {
		dst = append(dst, typeCallback...)
	}
	dst = append(dst, '"')
	if r.Failed {
		dst = append(dst, `,"err":`...)
		dst = appendString(dst, r.Err)
		dst = appendText(dst, `,"code":`, string(r.Code))
		dst = appendRaw(dst, `,"detail":`, r.Detail)
	}
	if r.Stale > 0 {
		dst = append(dst, `,"stale":`...)
		dst = strconv.AppendInt(dst, staleMillis(r.Stale), 10)
	}
	if r.Term > 0 {
		dst = append(dst, `,"term":`...)
		dst = strconv.AppendUint(dst, r.Term, 10)
	}
	return append(dst, '}')
}

// Refusal returns the refusal as a *RemoteError, or nil if there is none.
func (r Reply) Refusal() error {
	if !r.Failed {
		return nil
	}
	return &RemoteError{Code: cmp.Or(r.Code, codeOf(r.Err)), Reason: r.Err, Detail: r.Detail}
}

// owtReasons are the refusals of OWT's programs that always have the same words.
var owtReasons = map[string]muster.Code{}

func init() {
	for _, r := range []muster.Reason{
		muster.ReasonNotReady, muster.ReasonNoTask, muster.ReasonInvalidPurpose, muster.ReasonUnsupported,
		muster.ReasonInvalidTask, muster.ReasonNodeNotReady, muster.ReasonEarlyRecycled,
	} {
		owtReasons[r.Text] = r.Code
	}
}

// codeOf returns the code of a refusal by one of OWT's programs, which send words
// only. It is empty if the words are not OWT's.
func codeOf(text string) muster.Code {
	starts, ends := strings.HasPrefix, strings.HasSuffix
	switch {
	case starts(text, muster.ReasonNoScheduler("").Text):
		return muster.CodeNoScheduler
	case starts(text, "Worker [") && ends(text, "] does NOT exist."):
		return muster.CodeUnknownWorker
	case starts(text, "Failed in scheduling ") && ends(text, muster.ReasonAllFull.Text):
		return muster.CodeAllFull
	case starts(text, "Failed in scheduling ") && ends(text, muster.ReasonNoMatch.Text):
		return muster.CodeNoMatch
	}
	return owtReasons[text]
}

// Args are the arguments of a request, each one JSON.
type Args []json.RawMessage

// EncodeArgs encodes each argument; a json.RawMessage is taken as it is, and
// must be valid JSON.
func EncodeArgs(args ...any) (Args, error) {
	out := make(Args, len(args))
	for i, a := range args {
		raw, err := encode(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i, err)
		}
		out[i] = raw
	}
	return out, nil
}

func encode(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case json.RawMessage:
		if v == nil {
			return json.RawMessage("null"), nil
		}
		return v, nil
	case string:
		return appendString(nil, v), nil
	case int:
		return strconv.AppendInt(nil, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(nil, v, 10), nil
	}
	return json.Marshal(v)
}

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte { return gjson.AppendJSONString(dst, s) }

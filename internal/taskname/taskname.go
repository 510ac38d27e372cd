// Package taskname turns the task of a request into a name. OWT's programs name
// most tasks by a string, but they may send any JSON value: a sip portal sends
// {"room": R, "task": T}, a REST call without a target cluster sends null.
package taskname

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Of returns the name of a task: the same for equal values of all senders.
// It is "" for an argument that is absent and for an empty string.
//
//	"room1"                       room1
//	{"room": "r", "task": "t"}    t: what the worker that gets it picks up
//	null, true, 5.0               null, true, 5: as JavaScript writes them
//	[1, 2], {"room": "r"}         json- and a hash of the value in canonical form
func Of(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	if raw[0] == '{' {
		var of struct {
			Task json.RawMessage `json:"task"`
		}
		if json.Unmarshal(raw, &of) == nil && isScalar(of.Task) {
			raw = of.Task
		}
	}
	if isScalar(raw) {
		return scalar(raw)
	}
	sum := sha256.Sum256(canonical(raw))
	return "json-" + hex.EncodeToString(sum[:16])
}

func isScalar(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] != '{' && raw[0] != '[' }

func scalar(raw json.RawMessage) string {
	if raw[0] != '"' {
		return string(canonical(raw))
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

// canonical is the value with sorted members, no spaces, and its numbers in the
// form that JavaScript writes. A number too large for JavaScript stays as it is.
func canonical(raw json.RawMessage) []byte {
	var v any
	if json.Unmarshal(raw, &v) == nil {
		if out, err := json.Marshal(v); err == nil {
			return out
		}
	}
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return raw
	}
	return out.Bytes()
}

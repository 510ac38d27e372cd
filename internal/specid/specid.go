// Package specid decides whether two orders for a task ask for the same work.
package specid

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"strconv"
)

// ID identifies what is asked for. Equal IDs mean the same room and the same
// spec.
type ID [sha256.Size]byte

// Of returns the ID of a room and a spec. The spec counts by its value: the
// order of members, white space and the way a number is written (1, 1.0, 1e0)
// make no difference, and no spec is the same as null.
func Of(room string, spec json.RawMessage) ID {
	h := sha256.New()
	_, _ = io.WriteString(h, strconv.Quote(room))
	_, _ = h.Write(canonical(spec))
	return ID(h.Sum(nil))
}

// canonical returns the spec with sorted members and uniform numbers. A spec
// that is not JSON stands for itself.
func canonical(spec json.RawMessage) []byte {
	if len(bytes.TrimSpace(spec)) == 0 {
		return []byte("null")
	}
	decoder := json.NewDecoder(bytes.NewReader(spec))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || decoder.Decode(new(any)) != io.EOF {
		return spec
	}
	text, err := json.Marshal(uniform(value))
	if err != nil {
		return spec
	}
	return text
}

// uniform rewrites numbers. Integers keep all their digits.
func uniform(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
	case []any:
		for i := range v {
			v[i] = uniform(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = uniform(v[key])
		}
	}
	return value
}

package owt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// The functions here write JSON as JavaScript's JSON.stringify does, without
// spaces and without Go's HTML escapes, so that OWT's programs and ours send the
// same bytes for the same content.

// appendString appends a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if b := s[i]; b < ' ' || b == '"' || b == '\\' || b >= 0x7f {
			return appendEscaped(dst, s)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// appendEscaped is appendString for strings that need escapes.
func appendEscaped(dst []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string has a JSON form, and a Buffer takes it
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// appendFloat appends a finite number.
func appendFloat(dst []byte, f float64) []byte {
	text, err := json.Marshal(f)
	if err != nil {
		return append(dst, '0')
	}
	return append(dst, text...)
}

// object is a JSON object whose members are appended in order. The zero value has
// none.
type object []byte

// with appends a member whose value is JSON.
func (o object) with(name string, value []byte) object {
	return append(o.name(name), value...)
}

// text appends a member whose value is a string.
func (o object) text(name, value string) object { return appendString(o.name(name), value) }

// number appends a member whose value is a whole number.
func (o object) number(name string, n int64) object { return strconv.AppendInt(o.name(name), n, 10) }

// name appends the name of the next member.
func (o object) name(name string) object {
	before := byte(',')
	if len(o) == 0 {
		before = '{'
	}
	return appendName(append(o, before), name)
}

// end returns the whole object.
func (o object) end() []byte { return append(o, '}') }

// appendName appends the name of an object's member.
func appendName(dst []byte, name string) []byte { return append(appendString(dst, name), ':') }

// appendList appends an array, or an object if brackets is "{}".
func appendList[T any](dst []byte, brackets string, items []T, each func([]byte, T) []byte) []byte {
	dst = append(dst, brackets[0])
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = each(dst, item)
	}
	return append(dst, brackets[1])
}

// members calls f with the members of an object in their order. The order
// matters to OWT: workers are listed, and take turns, in the order in which they
// joined.
func members(raw json.RawMessage, f func(name string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if seen[name] {
			return fmt.Errorf("duplicate member %q", name)
		}
		seen[name] = true
		if err := f(name, value); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}

package owt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// What is written here is as JavaScript's JSON.stringify has it, without
// blanks and without Go's escapes for HTML, so that OWT's programs and ours
// send the same bytes for the same facts.

// appendString appends a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if b := s[i]; b < ' ' || b == '"' || b == '\\' || b >= 0x7f {
			return appendStrange(dst, s)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// appendStrange is appendString for what needs escapes.
func appendStrange(dst []byte, s string) []byte {
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

// appendName appends the name of an object's member.
func appendName(dst []byte, name string) []byte { return append(appendString(dst, name), ':') }

// appendList appends an array, or with an object's brackets an object.
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

// members calls f with the members of an object in their order, which matters
// to OWT: workers are listed, and take turns, in the order in which they came.
func members(raw json.RawMessage, f func(name string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errors.New("an object is wanted")
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
			return fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		if err := f(name, value); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}

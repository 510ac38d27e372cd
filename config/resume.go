package config

import (
	"bytes"
	"errors"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// fresh is a line with which an expression can begin.
var fresh = regexp.MustCompile(`^[ \t]*(\[[^\[\]=]*\]|[A-Za-z0-9_.-]+[ \t]*=)`)

// resume reports an error of the parser, and sets the reader to the next line
// that can be read, so that one missing quote does not hide what follows. The
// offset end is how far the file was read without error. It returns false
// where nothing follows, or where it would only be guessing.
func (r *reader) resume(err error, end int) bool {
	at := r.offsetOf(err)
	o := r.origin(at)
	r.problems = append(r.problems, Problem{Origin: o, Message: "not TOML: " + err.Error()})
	start := 0
	if o.Line > 1 {
		start = r.lines[o.Line-2]
	}
	line := string(r.lineFrom(start))
	// An error after the start of a list or a long string may be far from
	// the fault, and what follows may be inside of it.
	if bytes.ContainsAny(r.data[end:start], "[{") || strings.Contains(line, `"""`) || strings.Contains(line, "'''") {
		return false
	}
	if strings.HasPrefix(strings.TrimSpace(line), "[") {
		r.skip = true
	}
	return r.seek(start + len(line))
}

// offsetOf returns where the parser met the error.
func (r *reader) offsetOf(err error) int {
	var bad *unstable.ParserError
	if !errors.As(err, &bad) {
		return r.base
	}
	// The highlight is a part of data, and so ends where data's capacity does.
	return min(max(r.base, cap(r.data)-cap(bad.Highlight)), len(r.data))
}

func (r *reader) lineFrom(start int) []byte {
	if i := bytes.IndexByte(r.data[start:], '\n'); i >= 0 {
		return r.data[start : start+i+1]
	}
	return r.data[start:]
}

// seek moves to the next line with which an expression can begin.
func (r *reader) seek(start int) bool {
	for start < len(r.data) {
		line := r.lineFrom(start)
		if fresh.Match(line) {
			r.base = start
			return true
		}
		start += len(line)
	}
	return false
}

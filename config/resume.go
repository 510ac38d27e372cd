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
// that can be read, so that one missing quote does not hide what follows. What
// cannot be read begins in a line from begin on. It returns false where
// nothing follows, or where it would only be guessing.
func (r *reader) resume(err error, begin int) bool {
	o := r.origin(r.offsetOf(err))
	r.problems = append(r.problems, Problem{Origin: o, Message: "not TOML: " + err.Error()})
	start := 0
	if o.Line > 1 {
		start = r.lines[o.Line-2]
	}
	line := string(r.lineFrom(start))
	// In a list or a string of several lines, the error may be far from the
	// fault, and what follows may be inside of it.
	if r.skipComments(begin) < start || strings.Contains(line, `"""`) || strings.Contains(line, "'''") {
		return false
	}
	if strings.HasPrefix(strings.TrimSpace(line), "[") {
		r.skip = true
	}
	return r.seek(start + len(line))
}

// endOf returns where the text of a node ends, as far as the parser tells: for
// a list that is the end of its last element.
func endOf(n *unstable.Node) int {
	end := int(n.Raw.Offset + n.Raw.Length)
	for it := n.Children(); it.Next(); {
		end = max(end, endOf(it.Node()))
	}
	return end
}

func (r *reader) lineAfter(at int) int { return at + len(r.lineFrom(at)) }

// skipComments returns the start of the first line that says something.
func (r *reader) skipComments(at int) int {
	for at < len(r.data) {
		line := bytes.TrimSpace(r.lineFrom(at))
		if len(line) > 0 && line[0] != '#' {
			break
		}
		at = r.lineAfter(at)
	}
	return at
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

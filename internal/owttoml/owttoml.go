// Package owttoml makes TOML of what OWT's own reader, npm's toml, takes for
// it: whole numbers with leading zeros, and strings with escapes that TOML does
// not know.
package owttoml

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
)

// files are the names that OWT's programs give their configuration. They read
// no other.
var files = []string{"agent.toml", "cluster_manager.toml", "portal.toml", "management_api.toml", "sip_portal.toml"}

// Applies reports whether the file is OWT's by its name.
func Applies(path string) bool { return slices.Contains(files, filepath.Base(path)) }

// Strict returns the text as strict TOML with the meaning that npm's toml gives
// it: 05672 is 5672, and "\d" is a backslash and a d. Lines stay where they
// are, and so do columns up to such an escape.
func Strict(text []byte) []byte {
	s := scanner{in: text, out: make([]byte, 0, len(text)+16)}
	for s.at < len(s.in) {
		s.step()
	}
	return s.out
}

type scanner struct {
	in, out []byte
	at      int
	value   bool // behind a =
	depth   int  // of arrays and inline tables in the value
	last    byte // the last byte that is no space
}

func (s *scanner) take(n int) {
	s.out = append(s.out, s.in[s.at:s.at+n]...)
	s.at += n
}

func (s *scanner) step() {
	c := s.in[s.at]
	switch {
	case c == '#':
		s.take(lineLength(s.in[s.at:]))
		return
	case c == '"' || c == '\'':
		s.quoted(c)
	case s.value && strings.IndexByte("=[,", s.last) >= 0 && s.zeros():
		return
	default:
		s.note(c)
		s.take(1)
	}
	if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
		s.last = c
	}
}

// note follows where a value begins and ends.
func (s *scanner) note(c byte) {
	switch {
	case c == '=':
		s.value = true
	case c == '\n' && s.depth == 0:
		s.value = false
	case s.value && (c == '[' || c == '{'):
		s.depth++
	case s.value && (c == ']' || c == '}'):
		s.depth = max(0, s.depth-1)
	}
}

func lineLength(text []byte) int {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i
	}
	return len(text)
}

// zeros turns the leading zeros of a number into spaces before its sign.
func (s *scanner) zeros() bool {
	rest, sign := s.in[s.at:], 0
	if rest[0] == '-' || rest[0] == '+' {
		sign = 1
	}
	end := sign
	for end < len(rest) && isDigit(rest[end]) {
		end++
	}
	if end < len(rest) && (rest[end] == ':' || rest[end] == '-') {
		return false // a time or a date
	}
	first := sign
	for first < end-1 && rest[first] == '0' {
		first++
	}
	if first == sign {
		return false
	}
	s.out = append(s.out, bytes.Repeat([]byte(" "), first-sign)...)
	s.out = append(s.out, rest[:sign]...)
	s.out = append(s.out, rest[first:end]...)
	s.at += end
	s.last = '0'
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// quoted takes a string with its quotes.
func (s *scanner) quoted(quote byte) {
	marks := bytes.Repeat([]byte{quote}, 3)
	if !bytes.HasPrefix(s.in[s.at:], marks) {
		marks = marks[:1]
	}
	s.take(len(marks))
	for s.at < len(s.in) {
		switch {
		case bytes.HasPrefix(s.in[s.at:], marks):
			s.take(len(marks))
			return
		case len(marks) == 1 && s.in[s.at] == '\n':
			return // it has no end
		case quote == '"' && s.in[s.at] == '\\' && s.at+1 < len(s.in):
			s.escape()
		default:
			s.take(1)
		}
	}
}

// escape doubles the backslash of an escape that TOML does not know.
func (s *scanner) escape() {
	if strings.IndexByte("btnfr\"\\uU \t\r\n", s.in[s.at+1]) < 0 {
		s.out = append(s.out, '\\')
		s.take(1)
		return
	}
	s.take(2)
}

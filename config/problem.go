package config

import (
	"cmp"
	"slices"
	"strings"
)

// Problem is one error in a configuration.
type Problem struct {
	// Origin is where it is.
	Origin Origin
	// Key is the full name of the key, or the section in brackets. It is
	// empty if the file is not TOML.
	Key string
	// Message says what is wrong, and what to write instead.
	Message string
	// Nearest is the valid word that was probably meant; it may be empty.
	Nearest string
}

// Error returns "file:line:column: key: message; did you mean nearest?".
func (p Problem) Error() string {
	text := p.Origin.String() + ": "
	if p.Key != "" {
		text += p.Key + ": "
	}
	text += p.Message
	if p.Nearest != "" {
		text += "; did you mean " + p.Nearest + "?"
	}
	return text
}

// Problems are all problems of a configuration, in the order of the file.
type Problems []Problem

// Error returns one problem per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns each problem as a Problem.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, problem := range p {
		errs[i] = problem
	}
	return errs
}

// err returns the problems sorted, or nil if there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Origin.Line, b.Origin.Line), cmp.Compare(a.Origin.Column, b.Origin.Column))
	})
	return p
}

package config

import "fmt"

// Source is the kind of source of a value.
type Source string

// The sources, weakest first.
const (
	FromDefault     Source = "default"
	FromFile        Source = "file"
	FromEnvironment Source = "environment"
	FromFlag        Source = "flag"
)

// Origin is where a value came from. The zero Origin is the default.
type Origin struct {
	Source Source
	// File, Line and Column are set for FromFile. Lines and columns count
	// from 1, columns in characters.
	File         string
	Line, Column int
	// Name is the variable or the flag.
	Name string
}

func (o Origin) String() string {
	switch o.Source {
	case FromFile:
		return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	case FromEnvironment:
		return "environment " + o.Name
	case FromFlag:
		return "flag " + o.Name
	}
	return string(FromDefault)
}

// overrides reports whether the value was given outside the file.
func (o Origin) overrides() bool { return o.Source == FromEnvironment || o.Source == FromFlag }

package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/muster-fleet/muster/internal/owttoml"
)

// reader walks a file's expressions, and collects their problems.
type reader struct {
	cfg  *Config
	file string
	data []byte
	// only are the sections that are read; nil means all.
	only  []string
	lines []int
	// table is the current section; skip is set if it is unknown, and was reported.
	table []string
	skip  bool
	// seen has the first occurrence of each key and each [section].
	seen     map[string]Origin
	problems Problems
}

// read reads what it can of the file, and returns every problem. If only is given,
// it ignores other sections.
func read(name string, data []byte, only ...string) (*Config, Problems) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if owttoml.Applies(name) {
		data = owttoml.Strict(data)
	}
	r := &reader{cfg: Default(), file: name, data: data, seen: map[string]Origin{}, only: only}
	r.cfg.file = name
	for i, b := range r.data {
		if b == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	r.walk()
	if len(r.problems) == 0 {
		r.strict()
	}
	return r.cfg, r.problems
}

// walk reads up to the first syntax error.
func (r *reader) walk() {
	var p unstable.Parser
	p.Reset(r.data)
	for p.NextExpression() {
		r.expression(p.Expression())
	}
	if err := p.Error(); err != nil {
		r.report(r.offsetOf(err), "", "not TOML: "+err.Error(), "")
	}
}

// offsetOf returns where the parser met the error.
func (r *reader) offsetOf(err error) int {
	var bad *unstable.ParserError
	if !errors.As(err, &bad) {
		return 0
	}
	// The highlight is a part of data, and so ends where data's capacity does.
	return min(max(0, cap(r.data)-cap(bad.Highlight)), len(r.data))
}

func (r *reader) expression(n *unstable.Node) {
	path, start := r.path(n)
	if n.Kind == unstable.Table || n.Kind == unstable.ArrayTable {
		r.table, r.skip = path, false
	}
	if r.foreign(n, path) {
		r.skip = true
		return
	}
	switch n.Kind {
	case unstable.Table:
		r.enter(path, start)
	case unstable.ArrayTable:
		r.skip = true
		name := strings.Join(path, ".")
		r.report(start, "[["+name+"]]", fmt.Sprintf("double brackets are for lists of tables: write [%s]", name), "")
	case unstable.KeyValue:
		if !r.skip {
			r.assign(append(r.table[:len(r.table):len(r.table)], path...), start, n.Value())
		}
	}
}

// foreign reports whether an expression belongs to a section that is not to be
// read. Keys before the first section belong to none.
func (r *reader) foreign(n *unstable.Node, path []string) bool {
	if r.only == nil {
		return false
	}
	if n.Kind == unstable.KeyValue && len(r.table) > 0 {
		path = r.table
	}
	return len(path) == 0 || !slices.Contains(r.only, path[0])
}

// path returns the key's parts, and where they start.
func (r *reader) path(n *unstable.Node) (parts []string, start int) {
	for it := n.Key(); it.Next(); {
		if len(parts) == 0 {
			start = int(it.Node().Raw.Offset)
		}
		parts = append(parts, string(it.Node().Data))
	}
	return parts, start
}

// enter handles the header of a section.
func (r *reader) enter(path []string, at int) {
	name := strings.Join(path, ".")
	r.table, r.skip = path, false
	if r.twice("["+name+"]", at) {
		return
	}
	if !knownSection(path) && !oldSection(path) && path[0] != "cascading" {
		r.skip = true
		r.unknownSection(path, at)
		return
	}
	r.present(path, at)
}

// present records a section whose presence alone has an effect.
func (r *reader) present(path []string, at int) {
	if path[0] == "rabbit" && r.cfg.rabbit.Source == "" {
		r.cfg.rabbit = r.origin(at)
	}
}

// twice adds a problem, and returns true, if the name occurred before.
func (r *reader) twice(name string, at int) bool {
	first, ok := r.seen[name]
	if !ok {
		r.seen[name] = r.origin(at)
		return false
	}
	r.report(at, name, fmt.Sprintf("stands twice, first in line %d", first.Line), "")
	return true
}

// assign sets a key, or the keys of an inline table.
func (r *reader) assign(path []string, at int, n *unstable.Node) {
	if n.Kind == unstable.InlineTable && (knownSection(path) || !knownKey(path)) {
		r.inline(path, at, n)
		return
	}
	name := strings.Join(path, ".")
	if r.twice(name, at) {
		return
	}
	if !knownKey(path) {
		r.unknownKey(path, at, n)
		return
	}
	r.present(path, at)
	k, _ := lookup(name)
	where := at
	if n.Raw.Length > 0 {
		where = int(n.Raw.Offset)
	}
	if err := k.read(r.cfg, valueOf(n)); err != nil {
		r.problems = append(r.problems, problemOf(r.origin(where), name, err))
		return
	}
	r.cfg.origins[name] = r.origin(at)
}

func (r *reader) inline(path []string, at int, n *unstable.Node) {
	if !knownSection(path) {
		r.unknownKey(path, at, n)
		return
	}
	r.present(path, at)
	for it := n.Children(); it.Next(); {
		if it.Node().Kind != unstable.KeyValue {
			continue
		}
		own, start := r.path(it.Node())
		r.assign(append(path[:len(path):len(path)], own...), start, it.Node().Value())
	}
}

func problemOf(o Origin, name string, err error) Problem {
	p := Problem{Origin: o, Key: name, Message: err.Error()}
	var hint hinted
	if errors.As(err, &hint) {
		p.Nearest = hint.nearest
	}
	return p
}

func (r *reader) report(at int, name, message, nearest string) {
	r.problems = append(r.problems, Problem{r.origin(at), name, message, nearest})
}

// origin converts an offset to a line and a column.
func (r *reader) origin(at int) Origin {
	line := sort.SearchInts(r.lines, at+1)
	start := 0
	if line > 0 {
		start = r.lines[line-1]
	}
	column := utf8.RuneCount(r.data[start:at]) + 1
	return Origin{Source: FromFile, File: r.file, Line: line + 1, Column: column}
}

// strict lets the library find the remaining errors, which make a file invalid
// TOML.
func (r *reader) strict() {
	var bad *toml.DecodeError
	if err := toml.Unmarshal(r.data, &map[string]any{}); errors.As(err, &bad) {
		line, column := bad.Position()
		o := Origin{Source: FromFile, File: r.file, Line: max(1, line), Column: max(1, column)}
		r.problems = append(r.problems, Problem{Origin: o, Message: "not TOML: " + strings.TrimPrefix(bad.Error(), "toml: ")})
	} else if err != nil {
		r.report(0, "", "not TOML: "+err.Error(), "")
	}
}

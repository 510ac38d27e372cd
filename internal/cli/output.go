// Package cli is what the commands of Muster have in common: how they print,
// refuse and exit.
package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Format is how a command prints: a table for people, JSON for scripts. Some
// commands know others as well.
type Format string

// The formats. Markdown is for docs/benchmarks.md.
const (
	Tabular  Format = "table"
	JSON     Format = "json"
	CSV      Format = "csv"
	Markdown Format = "markdown"
)

// OutputFlag adds -o to a command that knows tables, JSON and more formats.
func OutputFlag(cmd *cobra.Command, more ...Format) *Format {
	f := new(Format)
	WordVar(cmd.Flags(), f, "output", "o", "how to print", append([]Format{Tabular, JSON}, more...)...)
	return f
}

// PrintJSON writes v as indented JSON.
func PrintJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// Table is rows under a heading, printed in aligned columns.
type Table struct {
	Heading []string
	Rows    [][]string
	// Empty is printed in place of a table without rows, unless it is "".
	Empty string
}

func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Print writes the table; the heading is bold on a terminal.
func (t *Table) Print(w io.Writer) error {
	if len(t.Rows) == 0 && t.Empty != "" {
		_, err := fmt.Fprintln(w, t.Empty)
		return err
	}
	var text bytes.Buffer
	aligned := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.Heading}, t.Rows...) {
		_, _ = fmt.Fprintln(aligned, strings.Join(row, "\t"))
	}
	if err := aligned.Flush(); err != nil {
		return err
	}
	lines := strings.SplitAfter(text.String(), "\n")
	lines[0] = Bold(w, strings.TrimRight(lines[0], " \n")) + "\n"
	for i, line := range lines[1:] {
		if line != "" {
			lines[i+1] = strings.TrimRight(line, " \n") + "\n"
		}
	}
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}

// Page is text for people. After an error, which it keeps, nothing more is
// printed.
type Page struct {
	w   io.Writer
	err error
}

// PrintPage prints what f puts on a page.
func PrintPage(w io.Writer, f func(*Page)) error {
	p := &Page{w: w}
	f(p)
	return p.err
}

// Linef prints a line.
func (p *Page) Linef(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// Table prints a table.
func (p *Page) Table(t Table) {
	if p.err == nil {
		p.err = t.Print(p.w)
	}
}

// Bold returns text in bold where the page may show it.
func (p *Page) Bold(text string) string { return Bold(p.w, text) }

// Bold returns text in bold where w is a terminal that may show it.
func Bold(w io.Writer, text string) string {
	if !Styled(w) {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// Styled reports whether w is a terminal and nothing speaks against styles
// (see no-color.org).
func Styled(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

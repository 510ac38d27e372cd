// Package cli is what the commands of Muster have in common: how they print,
// refuse and exit.
package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Format is how a command prints: "table" for people, "json" for scripts.
type Format string

const (
	Tabular Format = "table"
	JSON    Format = "json"
)

var formats = []string{string(Tabular), string(JSON)}

// Set makes a Format a flag, with String and Type.
func (f *Format) Set(s string) error {
	if !slices.Contains(formats, s) {
		return fmt.Errorf("must be %s", strings.Join(formats, " or "))
	}
	*f = Format(s)
	return nil
}

func (f *Format) String() string { return string(*f) }

// Type is what help shows for the value.
func (f *Format) Type() string { return strings.Join(formats, "|") }

// OutputFlag adds -o to a command.
func OutputFlag(cmd *cobra.Command) *Format {
	f := Tabular
	cmd.Flags().VarP(&f, "output", "o", "how to print")
	return &f
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
}

func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Print writes the table; the heading is bold on a terminal.
func (t *Table) Print(w io.Writer) error {
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

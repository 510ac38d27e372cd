package main

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

// format is how a command prints: "table" for people, "json" for scripts.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
)

var formats = []string{string(formatTable), string(formatJSON)}

// Set, String and Type make a format a flag.
func (f *format) Set(s string) error {
	if !slices.Contains(formats, s) {
		return fmt.Errorf("must be %s", strings.Join(formats, " or "))
	}
	*f = format(s)
	return nil
}

func (f *format) String() string { return string(*f) }

// Type is what help shows for the value.
func (f *format) Type() string { return strings.Join(formats, "|") }

// outputFlag adds -o to a command.
func outputFlag(cmd *cobra.Command) *format {
	f := formatTable
	cmd.Flags().VarP(&f, "output", "o", "how to print")
	complete := cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("output", complete); err != nil {
		panic(err) // the flag was added two lines above
	}
	return &f
}

// printJSON writes v as indented JSON.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// table is rows under a heading, printed in aligned columns.
type table struct {
	heading []string
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table; the heading is bold on a terminal.
func (t *table) print(w io.Writer) error {
	var text bytes.Buffer
	aligned := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.heading}, t.rows...) {
		_, _ = fmt.Fprintln(aligned, strings.Join(row, "\t"))
	}
	if err := aligned.Flush(); err != nil {
		return err
	}
	lines := strings.SplitAfter(text.String(), "\n")
	lines[0] = bold(w, strings.TrimRight(lines[0], " \n")) + "\n"
	for i, line := range lines[1:] {
		if line != "" {
			lines[i+1] = strings.TrimRight(line, " \n") + "\n"
		}
	}
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}

// bold returns text in bold where w is a terminal that may show it.
func bold(w io.Writer, text string) string {
	if !styled(w) {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// styled reports whether w is a terminal and nothing speaks against styles
// (see no-color.org).
func styled(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

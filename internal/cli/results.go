package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Column is a column of a table of results.
type Column[R any] struct {
	title string
	text  func(R) string
}

// Col returns a column with that title, and the text that it shows of a result.
func Col[R any](title string, text func(R) string) Column[R] { return Column[R]{title, text} }

// PrintResults prints results. JSON is one object where a single one was asked
// for, else an array.
func PrintResults[R any](w io.Writer, f Format, columns []Column[R], results []R, single bool) error {
	rows := resultRows(results, columns)
	switch {
	case f == Markdown:
		return printMarkdown(w, rows)
	case f == Tabular:
		t := Table{Heading: rows[0], Rows: rows[1:]}
		return t.Print(w)
	case single && len(results) == 1:
		return PrintJSON(w, results[0])
	}
	return PrintJSON(w, results)
}

// printMarkdown writes a table whose first row is the heading.
func printMarkdown(w io.Writer, rows [][]string) error {
	var text strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&text, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&text, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// resultRows returns the titles, then a row for each result.
func resultRows[R any](results []R, columns []Column[R]) [][]string {
	rows := make([][]string, 1, len(results)+1)
	for _, c := range columns {
		rows[0] = append(rows[0], c.title)
	}
	for _, r := range results {
		var row []string
		for _, c := range columns {
			row = append(row, c.text(r))
		}
		rows = append(rows, row)
	}
	return rows
}

// Failures writes how many calls failed, and why the first of them did.
func Failures(n int, reason string) string {
	if n == 0 {
		return "0"
	}
	return Thousands(int64(n)) + " (" + reason + ")"
}

// Thousands writes n with a comma after every third digit.
func Thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// ShortTime writes d with three digits that count.
func ShortTime(d time.Duration) string {
	for unit := time.Nanosecond; ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
}

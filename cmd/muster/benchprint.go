package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/muster-fleet/muster/internal/bench"
)

// benchColumn is a column of a table of results.
type benchColumn[R any] struct {
	title string
	text  func(R) string
}

var placeColumns = []benchColumn[bench.PlaceResult]{
	{"strategy", func(r bench.PlaceResult) string { return string(r.Strategy) }},
	{"workers", func(r bench.PlaceResult) string { return thousands(int64(r.Workers)) }},
	{"tasks", func(r bench.PlaceResult) string { return thousands(int64(r.Tasks)) }},
	{"placed/s", func(r bench.PlaceResult) string { return thousands(r.PerS) }},
	{"p50", func(r bench.PlaceResult) string { return shortTime(r.P50) }},
	{"p99", func(r bench.PlaceResult) string { return shortTime(r.P99) }},
	{"max ÷ mean", func(r bench.PlaceResult) string { return fmt.Sprintf("%.3f", r.MaxOverMean) }},
	{"of load", func(r bench.PlaceResult) string { return fmt.Sprintf("%.3f", r.LoadMaxOverMean) }},
	{"bytes/task", func(r bench.PlaceResult) string { return thousands(r.BytesPerTask) }},
	{"failed", func(r bench.PlaceResult) string { return failures(r.Failed, r.Reason) }},
}

var rpcColumns = []benchColumn[bench.RPCResult]{
	{"queue", func(r bench.RPCResult) string { return r.Bus }},
	{"workers", func(r bench.RPCResult) string { return thousands(int64(r.Workers)) }},
	{"in flight", func(r bench.RPCResult) string { return thousands(int64(r.Inflight)) }},
	{"ceiling/s", func(r bench.RPCResult) string { return thousands(r.CeilingPerS) }},
	{"placed/s", func(r bench.RPCResult) string { return thousands(r.PlacementsPerS) }},
	{"ratio", func(r bench.RPCResult) string { return fmt.Sprintf("%.2f", r.Ratio) }},
	{"quartiles", func(r bench.RPCResult) string { return fmt.Sprintf("%.2f–%.2f", r.RatioLow, r.RatioHigh) }},
	{"ceiling p50", func(r bench.RPCResult) string { return shortTime(r.CeilingP50) }},
	{"p50", func(r bench.RPCResult) string { return shortTime(r.P50) }},
	{"ceiling p99", func(r bench.RPCResult) string { return shortTime(r.CeilingP99) }},
	{"p99", func(r bench.RPCResult) string { return shortTime(r.P99) }},
	{"ceiling cpu", func(r bench.RPCResult) string { return shortTime(r.CeilingCPU) }},
	{"cpu", func(r bench.RPCResult) string { return shortTime(r.CPU) }},
	{"failed", func(r bench.RPCResult) string { return failures(r.Failed, r.Reason) }},
}

// benchFormat is a format, or "markdown" for docs/benchmarks.md.
type benchFormat string

const formatMarkdown benchFormat = "markdown"

// Set, String and Type make a benchFormat a flag.
func (f *benchFormat) Set(s string) error {
	if benchFormat(s) == formatMarkdown {
		*f = formatMarkdown
		return nil
	}
	var usual format
	if usual.Set(s) != nil {
		return errors.New("must be table, json or markdown")
	}
	*f = benchFormat(usual)
	return nil
}

func (f *benchFormat) String() string { return string(*f) }

// Type is what help shows for the value.
func (f *benchFormat) Type() string { return "table|json|markdown" }

// printBench prints results. JSON is one object where a single one was asked
// for, else an array.
func printBench[R any](w io.Writer, f benchFormat, columns []benchColumn[R], results []R, single bool) error {
	rows := benchRows(results, columns)
	switch {
	case f == formatMarkdown:
		return printMarkdown(w, rows)
	case f == benchFormat(formatTable):
		t := table{heading: rows[0], rows: rows[1:]}
		return t.print(w)
	case single && len(results) == 1:
		return printJSON(w, results[0])
	}
	return printJSON(w, results)
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

// benchRows returns the titles, then a row for each result.
func benchRows[R any](results []R, columns []benchColumn[R]) [][]string {
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

// failures writes how many calls failed, and why the first of them did.
func failures(n int, reason string) string {
	if n == 0 {
		return "0"
	}
	return thousands(int64(n)) + " (" + reason + ")"
}

// thousands writes n with a comma after every third digit.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// shortTime writes d with three digits that count.
func shortTime(d time.Duration) string {
	for unit := time.Nanosecond; ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
}

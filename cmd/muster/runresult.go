package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-fleet/muster/internal/batch"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/job"
)

// result is an outcome in the words of -o json.
type result struct {
	Purpose  string  `json:"purpose"`
	Task     string  `json:"task"`
	Worker   string  `json:"worker"`
	Node     string  `json:"node"`
	Attempts int     `json:"attempts"`
	Seconds  float64 `json:"seconds"`
	// Result is done, kept (it was there), failed, stopped, or "not begun"; of a batch
	// that goes on also running, and of one that was cut short begun: its end is unknown.
	Result string `json:"result"`
	Error  string `json:"error,omitempty"`
	// RefusedBy are workers that could not do it, as one without its files.
	RefusedBy []job.Refusal `json:"refused_by,omitempty"`
	// Warnings say in what the result is not what one might expect.
	Warnings []warning `json:"warnings,omitempty"`
	// Detail is what the node said last.
	Detail json.RawMessage `json:"detail,omitempty"`
}

// warning is one of media's.
type warning struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

const (
	resultDone     = "done"
	resultKept     = "kept"
	resultFailed   = "failed"
	resultStopped  = "stopped"
	resultNotBegun = "not begun"
	resultRunning  = "running"
	resultBegun    = batch.BegunResult
)

func resultOf(o job.Outcome) result {
	r := result{
		Purpose: o.Job.Purpose, Task: o.Job.Task, Worker: o.Worker, Node: o.Node, Attempts: o.Attempts,
		Seconds: o.Took.Seconds(), Result: resultDone, RefusedBy: o.Refusals, Detail: o.Report.Detail,
	}
	r.read(o.Report.Detail)
	if o.Err == nil {
		return r
	}
	r.Result, r.Error = resultFailed, failure(o.Err)
	switch {
	case !errors.Is(o.Err, context.Canceled):
	case o.Attempts == 0:
		r.Result = resultNotBegun
	default:
		r.Result = resultStopped
	}
	return r
}

// failure is why a task failed; that it did is said by the result.
func failure(err error) string {
	return strings.TrimPrefix(err.Error(), job.ErrFailed.Error()+": ")
}

// read takes what the table shows out of what a node said last.
func (r *result) read(detail json.RawMessage) {
	var d struct {
		Kept     bool      `json:"kept"`
		Warnings []warning `json:"warnings"`
	}
	if json.Unmarshal(detail, &d) != nil {
		return
	}
	r.Warnings = d.Warnings
	if d.Kept {
		r.Result = resultKept
	}
}

func (r *result) good() bool { return r.Result == resultDone || r.Result == resultKept }

// named are the names of the warnings.
func (r *result) named() string {
	return strings.Join(wordsFrom(r.Warnings, func(w warning) string { return w.Name }), ",")
}

// tell prints how a task ended; its error is that it failed.
func (r *runner) tell(o job.Outcome) error {
	if err := printRun(r.stdout, *r.output, []result{resultOf(o)}); err != nil {
		return err
	}
	return interrupted(o.Err)
}

// tellAll prints how the tasks of a batch ended; its error is that some are left.
func (r *runner) tellAll(results []result, id string) error {
	if err := printRun(r.stdout, *r.output, results); err != nil {
		return err
	}
	return leftOver(results, id)
}

// leftOver is an error that says what is left to do of a batch.
func leftOver(results []result, id string) error {
	counts, bad := map[string]int{}, 0
	for _, one := range results {
		counts[one.Result]++
		if !one.good() {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	again := "do the rest again with: muster jobs retry " + id
	if counts[resultFailed] == bad {
		return fmt.Errorf("%d of %d tasks failed; %s", bad, len(results), again)
	}
	begun := ""
	if n := counts[resultBegun]; n > 0 {
		begun = fmt.Sprintf(" %d were begun and may have ended since,", n)
	}
	return fmt.Errorf("interrupted: %d of %d tasks are done, %d failed, %d were stopped,%s %d were not begun; %s",
		len(results)-bad, len(results), counts[resultFailed], counts[resultStopped], begun, counts[resultNotBegun], again)
}

func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted: the task was stopped")
	}
	return err
}

// printRun prints results in a format.
func printRun(w io.Writer, f cli.Format, results []result) error {
	switch f {
	case cli.JSON:
		return cli.PrintJSON(w, results)
	case cli.CSV:
		return printRunCSV(w, results)
	}
	t := cli.Table{Heading: []string{"TASK", "WORKER", "SECONDS", "ATTEMPTS", "WARNINGS", "RESULT"}}
	for _, one := range results {
		t.Add(one.Task, orWord(one.Worker, "-"), fmt.Sprintf("%.1f", one.Seconds), fmt.Sprint(one.Attempts), orWord(one.named(), "-"), oneLine(one))
	}
	return cli.PrintPage(w, func(p *cli.Page) {
		p.Table(t)
		for _, line := range rested(results) {
			p.Linef("%s", line)
		}
	})
}

func printRunCSV(w io.Writer, results []result) error {
	rows := [][]string{{"purpose", "task", "worker", "node", "seconds", "attempts", "result", "warnings", "error"}}
	for _, one := range results {
		rows = append(rows, []string{
			one.Purpose, one.Task, one.Worker, one.Node, strconv.FormatFloat(one.Seconds, 'f', 3, 64), strconv.Itoa(one.Attempts),
			one.Result, one.named(), one.Error,
		})
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// rested name the workers that refused what others took.
func rested(results []result) []string {
	counts, reasons := map[string]int{}, map[string]string{}
	for _, one := range results {
		for _, by := range one.RefusedBy {
			if one.good() {
				counts[by.Worker]++
				reasons[by.Worker] = by.Reason
			}
		}
	}
	var lines []string
	for _, worker := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%s was left out: it refused %d of the tasks that others did (%s)", worker, counts[worker], reasons[worker]))
	}
	return lines
}

// oneLine is a result without what follows the error's first line.
func oneLine(r result) string {
	if r.Error == "" || r.Result == resultNotBegun || r.Result == resultStopped {
		return r.Result
	}
	first, _, _ := strings.Cut(r.Error, "\n")
	return r.Result + ": " + first
}

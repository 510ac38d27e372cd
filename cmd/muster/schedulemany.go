package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

// fromStdin is the task that stands for the names on standard input.
const fromStdin = "-"

// taskNames are the tasks of a command line, those on standard input included:
// one a line, empty lines and spaces around a name left out.
func taskNames(args []string, stdin io.Reader) ([]string, error) {
	var names []string
	for _, arg := range args {
		if arg != fromStdin {
			names = append(names, arg)
			continue
		}
		lines := bufio.NewScanner(stdin)
		for lines.Scan() {
			if name := strings.TrimSpace(lines.Text()); name != "" {
				names = append(names, name)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read names of tasks from standard input: %w", err)
		}
	}
	if len(names) == 0 {
		return nil, cli.Usagef("no names of tasks on standard input: give one a line")
	}
	return names, nil
}

// scheduleMany places the tasks of these names, each as the request says.
func scheduleMany(ctx context.Context, c *client.Client, each client.Request, names []string, w io.Writer, f cli.Format) error {
	requests := make([]client.Request, len(names))
	for i, name := range names {
		requests[i] = each
		requests[i].Task = name
	}
	outcomes, err := c.ScheduleMany(ctx, requests)
	if err != nil {
		return err
	}
	return cmp.Or(printAs(f, w, outcomesOf(outcomes), printOutcomes), refusedOf(outcomes))
}

// notPlacedTask is the JSON of one task of several that was not placed.
type notPlacedTask struct {
	Purpose string `json:"purpose"`
	Task    string `json:"task"`
	refused
}

// outcomesOf is the JSON of several tasks.
func outcomesOf(outcomes []client.Outcome) map[string][]any {
	tasks := make([]any, 0, len(outcomes))
	for _, o := range outcomes {
		if o.Err == nil {
			tasks = append(tasks, o.Placement)
			continue
		}
		tasks = append(tasks, notPlacedTask{o.Purpose, o.Task, refusalOf(o.Err)})
	}
	return map[string][]any{"tasks": tasks}
}

// printOutcomes prints the tasks that were placed.
func printOutcomes(p *cli.Page, outcomes map[string][]any) {
	for _, one := range outcomes["tasks"] {
		if placed, is := one.(muster.Placement); is {
			printPlacement(p, placed)
		}
	}
}

func refusalOf(err error) refused {
	var none *client.NoWorkerError
	if errors.As(err, &none) {
		return refused{none.Error(), codeOf(err), none.Explanation}
	}
	return refused{Error: reasonOf(err).Error(), Code: codeOf(err)}
}

// inPlainWords is a refusal for people.
func inPlainWords(err error) error {
	var none *client.NoWorkerError
	if errors.As(err, &none) && none.Explanation != nil && none.Explanation.Workers == 0 {
		return noWorkers(none.Purpose) // OWT's words would be wrong: nothing is full
	}
	return reasonOf(err)
}

// maxDetails is how many refused tasks are named on stderr.
const maxDetails = 20

// refusedOf says which tasks were refused, nil where none was.
func refusedOf(outcomes []client.Outcome) error {
	r := &cli.Refusal{}
	n := 0
	for _, o := range outcomes {
		if o.Err == nil {
			continue
		}
		if n++; n <= maxDetails {
			r.Details = append(r.Details, fmt.Sprintf("%s: %v", o.Task, inPlainWords(o.Err)))
		}
	}
	if n == 0 {
		return nil
	}
	if n > maxDetails {
		r.Details = append(r.Details, fmt.Sprintf("and %d more", n-maxDetails))
	}
	r.Err = fmt.Errorf("%d of %d tasks were not placed", n, len(outcomes))
	return r
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

// taskStory is a task in the words of -o json.
type taskStory struct {
	Purpose string `json:"purpose"`
	Worker  string `json:"worker"`
	muster.TaskReport
}

// errForgotten is returned for a task that no agent or manager knows.
var errForgotten = errors.New("nothing is known of the task: it is neither placed, nor among the last 1,000 that an agent of the purpose remembers for a day")

const taskLong = `Show where a task runs and how far it is, or where it ran, how it ended and why. Each agent remembers its last 1,000
tasks for a day, in its directory, also when it is started again; an agent that is gone for good takes that along.`

func newTaskCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "task PURPOSE TASK", Short: "Show where a task runs, or how it ended", Long: taskLong + "\n" + precedence,
		Example: "  muster task video clip-1", Args: cli.Takes("PURPOSE", "TASK"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return show(a, func(ctx context.Context, c *client.Client) (taskStory, error) {
			return findTask(ctx, c, args[0], args[1])
		}, printTask)
	}
	return cmd
}

// findTask asks where a task is, or else all agents of its purpose how it ended.
func findTask(ctx context.Context, c *client.Client, purpose, task string) (taskStory, error) {
	worker, err := c.Scheduled(ctx, purpose, task)
	if err == nil {
		return placedTask(ctx, c, purpose, task, worker)
	}
	if !errors.Is(err, client.ErrNoTask) {
		return taskStory{}, err
	}
	workers, err := c.WorkerIDs(ctx, purpose)
	if err != nil {
		return taskStory{}, err
	}
	found := taskStory{}
	for _, t := range askAll(workers, func(worker string) []taskStory {
		r, err := c.QueryTask(ctx, worker, task)
		if err != nil {
			return nil // it does not know the task, is no agent, or is away
		}
		return []taskStory{{purpose, hadTask(r, worker), r}}
	}) {
		if found.Task == "" || t.EndedAt > found.EndedAt {
			found = t
		}
	}
	if found.Task == "" {
		return found, errForgotten
	}
	return found, nil
}

// hadTask is the worker that had a task, which the one that remembers it may have
// followed in its directory.
func hadTask(r muster.TaskReport, remembers string) string {
	if worker, err := workerOf(r.Node); err == nil {
		return worker
	}
	return remembers
}

// placedTask asks the agent and the node of a task. One that has only just ended
// is still its node's.
func placedTask(ctx context.Context, c *client.Client, purpose, task, worker string) (taskStory, error) {
	t := taskStory{purpose, worker, muster.TaskReport{Task: task, State: "reserved"}}
	r, err := c.QueryTask(ctx, worker, task)
	switch {
	case errors.Is(err, client.ErrNoTask), errors.Is(err, client.ErrUnsupported):
		return t, nil
	case err != nil:
		return t, err
	}
	t.TaskReport = r
	if own, err := c.TaskStats(ctx, r.Node, task); err == nil && r.State == muster.TaskRunning {
		own.By, own.Attempt = r.By, r.Attempt
		t.TaskReport = own
	}
	return t, nil
}

// mostAsked is how many agents are asked at a time.
const mostAsked = 16

// askAll asks workers at the same time.
func askAll(workers []string, ask func(string) []taskStory) (all []taskStory) {
	var mu sync.Mutex
	var asked sync.WaitGroup
	turns := make(chan struct{}, mostAsked)
	for _, worker := range workers {
		turns <- struct{}{}
		asked.Go(func() {
			defer func() { <-turns }()
			found := ask(worker)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, found...)
		})
	}
	asked.Wait()
	return all
}

// result is a task in the words of 'muster run'.
func (t taskStory) result() result {
	r := result{Purpose: t.Purpose, Task: t.Task, Worker: t.Worker, Node: t.Node, Attempts: t.Attempt, Seconds: t.Seconds, Result: string(t.State), Error: t.Error, Detail: t.Detail}
	r.read(t.Detail)
	return r
}

// printTask prints what is known of a task for people: names and values.
func printTask(p *cli.Page, t taskStory) {
	r := t.result()
	add := func(name, value string) {
		if value != "" {
			p.Linef("%-9s %s", name, value)
		}
	}
	add("task", t.Task)
	add("purpose", t.Purpose)
	add("state", r.Result)
	add("worker", t.Worker)
	add("node", t.Node)
	if t.Attempt > 0 {
		add("attempts", fmt.Sprint(t.Attempt))
	}
	if t.Seconds > 0 {
		add("seconds", fmt.Sprintf("%.1f", t.Seconds))
	}
	if t.Progress != nil && t.State == muster.TaskRunning {
		add("progress", fmt.Sprintf("%.0f %%", *t.Progress*100))
	}
	if t.EndedAt != 0 {
		add("ended", t.EndedAt.Time().Local().Format(time.DateTime))
	}
	add("error", t.Error)
	add("cause", string(t.Cause))
	for _, w := range r.Warnings {
		add("warning", w.Name+": "+w.Text)
	}
}

const historyLong = `List the tasks that ended last, the newest first: of each agent at most its last 200. See 'muster task' for how long
that is remembered, and for all that is known of one of them.`

func newHistoryCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "history [PURPOSE]", Short: "List the tasks that ended, and how", Long: historyLong + "\n" + precedence,
		Example: "  muster history video --failed", Args: cli.Takes("[PURPOSE]"),
	}
	a := askingFlags(cmd)
	limit := cmd.Flags().Int("limit", 50, "the most tasks to list")
	failed := cmd.Flags().Bool("failed", false, "list those only that failed")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *limit < 1 {
			return cli.Usagef("--limit must be at least 1, but is %d", *limit)
		}
		return show(a, func(ctx context.Context, c *client.Client) ([]taskStory, error) {
			all, err := endedTasks(ctx, c, optional(args), *failed)
			return all[:min(len(all), *limit)], err
		}, printHistory)
	}
	return cmd
}

func printHistory(p *cli.Page, tasks []taskStory) {
	t := cli.Table{Heading: []string{"ENDED", "PURPOSE", "TASK", "WORKER", "SECONDS", "ATTEMPTS", "WARNINGS", "RESULT"}}
	for _, one := range tasks {
		r := one.result()
		t.Add(one.EndedAt.Time().Local().Format(time.DateTime), one.Purpose, one.Task, one.Worker, fmt.Sprintf("%.1f", one.Seconds), fmt.Sprint(one.Attempt), orWord(r.named(), "-"), oneLine(r))
	}
	p.Table(t)
}

// endedTasks asks all agents of a purpose, or of all, the newest task first.
func endedTasks(ctx context.Context, c *client.Client, purpose string, failedOnly bool) ([]taskStory, error) {
	workers, err := c.Workers(ctx, purpose)
	if err != nil {
		return nil, err
	}
	purposes, ids := map[string]string{}, []string{}
	for _, w := range workers {
		purposes[w.ID] = w.Purpose
		ids = append(ids, w.ID)
	}
	all := askAll(ids, func(worker string) (list []taskStory) {
		reports, err := c.EndedTasks(ctx, worker, historyOfEach)
		if err != nil {
			return nil // no agent, or away
		}
		for _, r := range reports {
			if !failedOnly || r.State == muster.TaskFailed {
				list = append(list, taskStory{purposes[worker], hadTask(r, worker), r})
			}
		}
		return list
	})
	slices.SortFunc(all, func(a, b taskStory) int {
		return cmp.Or(cmp.Compare(b.EndedAt, a.EndedAt), strings.Compare(a.Task, b.Task))
	})
	return all, nil
}

// historyOfEach is how many tasks each agent is asked for.
const historyOfEach = 200

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

// taskStates are those of --state.
var taskStates = []string{"reserved", "running"}

func newTasksCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tasks [PURPOSE]",
		Short: "List the tasks and where they are",
		Long: `List the tasks of a purpose, or of all, and the workers that they are on.

By purpose, worker and name; --limit and the filters ask the manager for a part of them only.
A task is "reserved" until its worker picks it up, and "running" from then on. With -o json each is
{"purpose", "task", "worker", "state", "until"}: until is when a reservation ends, in milliseconds since 1970.` + "\n" + precedence,
		Example: "  muster tasks\n  muster tasks webrtc -o json\n  muster tasks --limit 50 --state reserved --label gpu=a100",
		Args:    cli.Takes("[PURPOSE]"),
	}
	a, part := askingFlags(cmd), partFlags(cmd, "reserved or running")
	worker := cmd.Flags().String("worker", "", "only those on the worker with this `id`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := part.check(taskStates...); err != nil {
			return err
		}
		query := client.TaskQuery{
			Purpose: optional(args), Worker: *worker, State: client.TaskState(part.state), Region: part.region, Labels: part.labels, Limit: part.page(),
		}
		return a.ask(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			tasks, err := firstOf(c.EachTask(ctx, query), part.limit)
			if err == nil {
				err = knownPurpose(ctx, c, optional(args), len(tasks))
			}
			if err != nil {
				return err
			}
			if *a.output == cli.JSON {
				return cli.PrintJSON(cmd.OutOrStdout(), tasks)
			}
			return printTasks(cmd.OutOrStdout(), tasks, time.Now())
		})
	}
	return cmd
}

// optional is the argument that may be left out.
func optional(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func printTasks(w io.Writer, tasks []client.Task, now time.Time) error {
	if len(tasks) == 0 {
		_, err := fmt.Fprintln(w, "no tasks")
		return err
	}
	t := cli.Table{Heading: []string{"PURPOSE", "TASK", "WORKER", "STATE"}}
	for _, task := range tasks {
		t.Add(task.Purpose, task.Task, task.Worker, taskState(task, now))
	}
	return t.Print(w)
}

func taskState(t client.Task, now time.Time) string {
	if t.State == client.TaskReserved {
		return "reserved, " + ago(t.Until.Time().Sub(now)) + " left"
	}
	return string(t.State)
}

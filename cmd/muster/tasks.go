package main

import (
	"context"
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
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := part.check(taskStates...); err != nil {
			return err
		}
		query := client.TaskQuery{
			Purpose: optional(args), Worker: *worker, State: client.TaskState(part.state), Region: part.region, Labels: part.labels, Limit: part.page(),
		}
		return show(a, func(ctx context.Context, c *client.Client) ([]client.Task, error) {
			tasks, err := firstOf(c.EachTask(ctx, query), part.limit)
			if err == nil {
				err = knownPurpose(ctx, c, optional(args), len(tasks))
			}
			return tasks, err
		}, printTasks)
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

func printTasks(p *cli.Page, tasks []client.Task) {
	t := cli.Table{Empty: "no tasks", Heading: []string{"PURPOSE", "TASK", "WORKER", "STATE"}}
	for _, task := range tasks {
		t.Add(task.Purpose, task.Task, task.Worker, taskState(task))
	}
	p.Table(t)
}

func taskState(t client.Task) string {
	if t.State == client.TaskReserved {
		return "reserved, " + ago(time.Until(t.Until.Time())) + " left"
	}
	return string(t.State)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/pause"
)

// waitPoll is how often it is asked where a task is whose node does not answer.
const waitPoll = 500 * time.Millisecond

func newWaitCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "wait PURPOSE TASK", Short: "Wait until a task has ended", Args: cli.Takes("PURPOSE", "TASK"),
		Long: `Wait until a task has ended that 'muster run' without --wait began, and print how. The exit status is the task's. A task that
ended before is answered at once, as long as its agent remembers it; see 'muster task'. Ctrl-C leaves the task alone.` + "\n" + precedence,
		Example: "  muster wait video clip-1",
	}
	r := &runner{settings: settingsOf(cmd), output: cli.OutputFlag(cmd, cli.CSV)}
	r.settings.reach(clusterURL)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return r.connected(cmd.Context(), func(c *client.Client, _ *config.Config) error {
			t, err := awaitTask(cmd.Context(), c, args[0], args[1])
			if err != nil {
				return err
			}
			one := t.result()
			if err := printRun(cmd.OutOrStdout(), *r.output, []result{one}); err != nil {
				return err
			}
			if one.Result == resultFailed {
				return fmt.Errorf("%s %s failed: %s", t.Purpose, t.Task, t.Error)
			}
			return nil
		})
	}
	return cmd
}

// awaitTask follows a task to its end, also where it moves to another worker.
func awaitTask(ctx context.Context, c *client.Client, purpose, task string) (taskStory, error) {
	for {
		t, err := findTask(ctx, c, purpose, task)
		switch {
		case err == nil && (t.State == muster.TaskDone || t.State == muster.TaskFailed):
			return t, nil
		case errors.Is(err, errForgotten):
			return t, err
		case err == nil && t.Node != "":
			if r, err := c.AwaitTask(ctx, t.Node, task, time.Second); err == nil && r.State != muster.TaskRunning {
				r.By, r.Attempt = t.By, t.Attempt
				t.TaskReport = r
				return t, nil
			}
		}
		if !pause.For(ctx, waitPoll) {
			return t, context.Cause(ctx)
		}
	}
}

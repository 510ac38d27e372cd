package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/job"
)

func newStopCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stop PURPOSE TASK",
		Short: "Stop a task, wherever it runs",
		Long: `Stop a task: its node ends it in good order (a recording's last file can be played), and its place is free
again. Stopping may take longer than --timeout where a node has much to finish.` + "\n" + precedence,
		Example: "  muster stop recording talk",
		Args:    cli.Takes("PURPOSE", "TASK"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		purpose, task := args[0], args[1]
		return a.ask(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			worker, node, err := job.Stop(ctx, c, purpose, task)
			if errors.Is(err, job.ErrWorkerSilent) {
				return &cli.Refusal{Err: fmt.Errorf("worker %s, which has %s %s, does not answer: look at its log; the task may run there until the manager has evicted it",
					worker, purpose, task)}
			}
			if err != nil {
				return err
			}
			if *a.output == cli.JSON {
				return cli.PrintJSON(cmd.OutOrStdout(), map[string]string{"purpose": purpose, "task": task, "worker": worker, "node": node})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s is stopped\n", purpose, task)
			return err
		})
	}
	if err := cmd.Flags().Set("timeout", "15s"); err != nil {
		panic(err) // askingFlags has added it
	}
	cmd.Flags().Lookup("timeout").DefValue = "15s"
	cmd.Flags().Lookup("timeout").Changed = false
	return cmd
}

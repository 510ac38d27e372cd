package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

func newUnscheduleCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unschedule PURPOSE TASK",
		Short: "Give a task's reservation up",
		Long: `Give the reservation of a task up, so that its worker is free for another. A task that runs already goes
on, and is forgotten when its worker lays it down.` + "\n" + precedence,
		Example: "  muster unschedule webrtc room-1",
		Args:    cli.Takes("PURPOSE", "TASK"),
	}
	a := askingFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		purpose, task := args[0], args[1]
		return a.ask(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			worker, err := c.Scheduled(ctx, purpose, task)
			if err != nil {
				return err
			}
			if err := c.Unschedule(ctx, worker, task); err != nil {
				return err
			}
			if *a.output == cli.JSON {
				return cli.PrintJSON(cmd.OutOrStdout(), map[string]string{"purpose": purpose, "task": task, "worker": worker})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s is no longer held on %s\n", purpose, task, worker)
			return err
		})
	}
	return cmd
}

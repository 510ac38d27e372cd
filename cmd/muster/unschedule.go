package main

import (
	"context"

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
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		purpose, task := args[0], args[1]
		return show(a, func(ctx context.Context, c *client.Client) (map[string]string, error) {
			worker, err := c.Scheduled(ctx, purpose, task)
			if err == nil {
				err = c.Unschedule(ctx, worker, task)
			}
			return map[string]string{"purpose": purpose, "task": task, "worker": worker}, err
		}, func(p *cli.Page, got map[string]string) {
			p.Linef("%s %s is no longer held on %s", purpose, task, got["worker"])
		})
	}
	return cmd
}

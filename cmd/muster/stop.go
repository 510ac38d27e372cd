package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/job"
)

// stopTimeout is how long stop waits where --timeout does not say: a node may have
// much to finish.
const stopTimeout = 15 * time.Second

func newStopCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stop PURPOSE TASK",
		Short: "Stop a task, wherever it runs",
		Long: `Stop a task: its node ends it in good order (a recording's last file can be played), and its place is free
again. Stopping may take longer than --timeout where a node has much to finish.` + "\n" + precedence,
		Example: "  muster stop recording talk",
		Args:    cli.Takes("PURPOSE", "TASK"),
	}
	a := askingFor(cmd, stopTimeout)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		purpose, task := args[0], args[1]
		return show(a, func(ctx context.Context, c *client.Client) (map[string]string, error) {
			worker, node, err := job.Stop(ctx, c, purpose, task)
			if errors.Is(err, job.ErrWorkerSilent) {
				err = &cli.Refusal{Err: fmt.Errorf("worker %s, which has %s %s, does not answer: look at its log; the task may run there until the manager has evicted it",
					worker, purpose, task)}
			}
			return map[string]string{"purpose": purpose, "task": task, "worker": worker, "node": node}, err
		}, func(p *cli.Page, _ map[string]string) { p.Linef("%s %s is stopped", purpose, task) })
	}
	return cmd
}

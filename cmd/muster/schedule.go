package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/cli"
)

const scheduleLong = `Place tasks on workers of a purpose. A task that is placed already gets the worker that it has.

Several tasks go to the manager together, which costs a fraction of as many calls; one that is refused does
not hold the others back. A TASK of - reads names from standard input, one a line.

The worker is held for the task until it picks the task up, or until --reserve has passed.

--preference is any JSON value, as OWT's programs send it: {"isp", "region", "video": {"encode", "decode"},
"algorithm", "labels": {"gpu": "a100"}}. --isp and --region are added to it.

With -o json a placed task is the object {"purpose", "task", "worker", "info"}, info being what the worker
said when it joined. A refused one is {"error", "code", "explanation"}, and the reason is on stderr too: code is
full, no-match, no-workers, not-ready, refused or unreachable, and explanation counts excluded workers. Several tasks
are {"tasks": [...]}, one object for each in their order, a refused one with its "purpose" and "task". The exit
status is 1 if any was refused.` + "\n" + precedence

func newScheduleCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule PURPOSE TASK...",
		Short: "Place tasks on workers",
		Long:  scheduleLong,
		Example: `  muster schedule webrtc room-1
  muster schedule webrtc room-2 --region eu --reserve 5m
  muster schedule video mix-1 --preference '{"video":{"encode":["h264"],"decode":["vp8"]}}' -o json
  ls *.mp4 | muster schedule video -`,
		Args: cli.Takes("PURPOSE", "TASK..."),
	}
	a := askingFlags(cmd)
	flags := cmd.Flags()
	isp := flags.String("isp", "", "`provider` that the worker must serve")
	region := flags.String("region", "", "`region` that the worker should be in")
	preference := flags.String("preference", "", "what the task needs, as `JSON`")
	reserve := flags.Duration("reserve", 0, "how long the worker is held for the task (default: the manager's)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *reserve < 0 {
			return cli.Usagef("--reserve must not be negative, but is %v", *reserve)
		}
		wanted, err := mergePreference(*preference, *isp, *region)
		if err != nil {
			return err
		}
		request := client.Request{Purpose: args[0], Preference: wanted, Reserve: *reserve}
		names, err := taskNames(args[1:], cmd.InOrStdin())
		if err != nil {
			return err
		}
		return a.ask(cmd.Context(), func(ctx context.Context, c *client.Client) error {
			if len(args) > 2 || args[1] == fromStdin {
				return scheduleMany(ctx, c, request, names, cmd.OutOrStdout(), *a.output)
			}
			request.Task = names[0]
			placed, err := c.Schedule(ctx, request)
			if err != nil {
				return notPlaced(cmd.OutOrStdout(), *a.output, err)
			}
			return printAs(*a.output, cmd.OutOrStdout(), placed, printPlacement)
		})
	}
	return cmd
}

func printPlacement(page *cli.Page, p muster.Placement) {
	page.Linef("%s %s is on %s", p.Purpose, p.Task, p.Worker)
}

// refused is the JSON of a task that was not placed.
type refused struct {
	Error string `json:"error"`
	// Code says what scripts need: see codeOf.
	Code        string              `json:"code"`
	Explanation *muster.Explanation `json:"explanation,omitempty"`
}

// notPlaced prints why a task was refused: the manager's reason, then which
// rule excluded how many workers.
func notPlaced(w io.Writer, f cli.Format, err error) error {
	var none *client.NoWorkerError
	said, noWorker := refused{Error: err.Error(), Code: codeOf(err)}, errors.As(err, &none)
	if noWorker {
		said = refusalOf(err)
	}
	if f == cli.JSON {
		if err := cli.PrintJSON(w, said); err != nil {
			return err
		}
	}
	if !noWorker {
		return err
	}
	r := &cli.Refusal{Err: errors.New(none.Error())}
	switch {
	case none.Explanation == nil:
	case none.Explanation.Workers == 0: // OWT's words would be wrong: nothing is full
		r.Err = noWorkers(none.Purpose)
	case none.Explanation.Excluded[muster.RuleNotReady] == none.Explanation.Workers: // nor are these
		r.Err = fmt.Errorf("no worker of purpose %s is ready: %d are there, and said that they are not, or have not reported a load yet",
			none.Purpose, none.Explanation.Workers)
	default:
		r.Details = exclusions(none.Explanation)
	}
	return r
}

// codeOf is why a task was not placed, in a word for scripts: "full", "no-match" or
// "no-workers" of the purpose; "not-ready" for managers that have just started,
// "unreachable" where none answers, or "refused".
func codeOf(err error) string {
	var none *client.NoWorkerError
	switch {
	case errors.As(err, &none) && none.Explanation != nil && none.Explanation.Workers == 0, errors.Is(err, client.ErrNoScheduler):
		return "no-workers"
	case errors.As(err, &none) && none.Reason == muster.ReasonNoMatch:
		return "no-match"
	case errors.As(err, &none):
		return "full"
	case errors.Is(err, client.ErrNotReady):
		return "not-ready"
	case errors.As(err, new(*bus.RemoteError)):
		return "refused"
	}
	return "unreachable"
}

// noWorkers is a purpose of which no worker is left.
func noWorkers(purpose string) error {
	return fmt.Errorf("no worker of purpose %s is there: start one, or see `muster workers`", purpose)
}

// exclusions says of each rule that excluded any how many workers it did, such
// as "codec: 1 of 1 workers".
func exclusions(e *muster.Explanation) []string {
	var lines []string
	for rule, n := range e.Excluded {
		if n > 0 {
			lines = append(lines, fmt.Sprintf("%s: %d of %d workers", muster.Rule(rule), n, e.Workers))
		}
	}
	return lines
}

// ago writes how long d is, to whole seconds.
func ago(d time.Duration) string { return max(d, 0).Round(time.Second).String() }

package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/batch"
	"github.com/muster-fleet/muster/internal/cli"
)

const jobsLong = `List the batches that 'muster run --each' and '--list' began as this user on this machine, newest last, with or
without --detach. What each was asked to do and what became of it is kept below XDG_STATE_HOME (~/.local/state/muster/jobs),
of the last 200.

A batch is "running" while a process works on it, "ended" when all its tasks have an end, and "cut short" otherwise: its
process was killed, or its machine. The tasks that ran then end by themselves, and 'muster jobs retry' takes what they made.`

func newJobsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "jobs", Short: "List batches, cancel one, do again what failed", Long: jobsLong, Args: cli.Takes(),
		Example: "  muster jobs\n  muster jobs show video-20261129-213000-abcd\n  muster jobs retry video-20261129-213000-abcd --detach",
	}
	output := cli.OutputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		store, err := batch.Home()
		if err != nil {
			return err
		}
		all, err := store.List()
		if err != nil {
			return err
		}
		lines := make([]jobLine, len(all))
		for i, b := range all {
			if lines[i], _, err = lineOf(b); err != nil {
				return err
			}
		}
		return printAs(*output, cmd.OutOrStdout(), lines, printJobs)
	}
	cmd.AddCommand(newJobsShowCmd(), newJobsCancelCmd(), newJobsRetryCmd(), newJobsWorkCmd())
	return cmd
}

func printJobs(p *cli.Page, lines []jobLine) {
	t := cli.Table{Heading: []string{"JOB", "STATE", "PRIORITY", "TASKS", "DONE", "FAILED", "LEFT", "BEGAN"}}
	for _, l := range lines {
		t.Add(l.Job, l.State, fmt.Sprint(l.Priority), fmt.Sprint(l.Tasks), fmt.Sprint(l.Done), fmt.Sprint(l.Failed), fmt.Sprint(l.Left), l.Began.Local().Format(time.DateTime))
	}
	p.Table(t)
}

// jobLine is a batch in the words of -o json.
type jobLine struct {
	Job      string    `json:"job"`
	Purpose  string    `json:"purpose"`
	State    string    `json:"state"`
	Began    time.Time `json:"began"`
	Priority int       `json:"priority"`
	Tasks    int       `json:"tasks"`
	Done     int       `json:"done"`
	Failed   int       `json:"failed"`
	// Left are those without an end.
	Left int `json:"left"`
	// Of is the batch of which this one did the rest again.
	Of string `json:"of,omitempty"`
}

// lineOf reads how a batch stands, and the results of its tasks in their order.
func lineOf(b *batch.Batch) (jobLine, []result, error) {
	l := jobLine{Job: b.ID, Purpose: b.Purpose, Began: b.Began, Priority: b.Priority, Tasks: len(b.Tasks), Of: b.Of}
	known, err := b.Results()
	if err != nil {
		return l, nil, err
	}
	running, _ := b.Running()
	var results []result
	for _, t := range b.Tasks {
		one := result{Purpose: b.Purpose, Task: t.Name, Result: resultNotBegun}
		if r, ended := known[t.Name]; ended {
			if err := json.Unmarshal(r.All, &one); err != nil {
				return l, nil, fmt.Errorf("job %s: %w", b.ID, err)
			}
		}
		if running && one.Result == resultBegun {
			one.Result = resultRunning
		}
		switch {
		case one.good():
			l.Done++
		case one.Result == resultFailed:
			l.Failed++
		default:
			l.Left++
		}
		results = append(results, one)
	}
	switch {
	case running:
		l.State = "running"
	case l.Left == 0:
		l.State = "ended"
	default:
		l.State = "cut short"
	}
	return l, results, nil
}

// opened is the batch that an argument names.
func opened(id string) (*batch.Batch, error) {
	store, err := batch.Home()
	if err != nil {
		return nil, err
	}
	b, err := store.Open(id)
	if err != nil {
		return nil, fmt.Errorf("%w: see 'muster jobs'", err)
	}
	return b, nil
}

func newJobsShowCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show JOB", Short: "Show the tasks of a batch and how they ended", Args: cli.Takes("JOB"),
		Long:    "Show the tasks of a batch and how they ended, as 'muster run' prints them. The exit status is 1 if tasks failed or are left.",
		Example: "  muster jobs show video-20261129-213000-abcd -o csv",
	}
	output := cli.OutputFlag(cmd, cli.CSV)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		b, err := opened(args[0])
		if err != nil {
			return err
		}
		line, results, err := lineOf(b)
		if err != nil {
			return err
		}
		if err := printRun(cmd.OutOrStdout(), *output, results); err != nil {
			return err
		}
		if line.State == "running" {
			return fmt.Errorf("job %s goes on: %d of %d tasks are done", b.ID, line.Done, line.Tasks)
		}
		return leftOver(results, b.ID)
	}
	return cmd
}

func newJobsCancelCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cancel JOB", Short: "Stop a batch and its running tasks", Args: cli.Takes("JOB"),
		Long:    "Stop a batch: its running tasks are stopped, and no others begun. 'muster jobs retry' takes it up again.",
		Example: "  muster jobs cancel video-20261129-213000-abcd",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		b, err := opened(args[0])
		if err != nil {
			return err
		}
		cancelled, err := b.Cancel()
		if err != nil {
			return err
		}
		if !cancelled {
			return fmt.Errorf("job %s does not run", b.ID)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is being stopped\n", b.ID)
		return err
	}
	return cmd
}

func newJobsRetryCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "retry JOB", Short: "Do again what failed or was not begun", Args: cli.Takes("JOB"),
		Long: `Run the tasks of a batch that are not done, as a new batch. They may be in part where they were stopped or failed for a
passing reason; media tasks leave nothing half-made.` + "\n" + precedence,
		Example: "  muster jobs retry video-20261129-213000-abcd --detach",
	}
	r := batchRunner(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.stdout, r.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		b, err := opened(args[0])
		if err != nil {
			return err
		}
		if running, _ := b.Running(); running {
			return fmt.Errorf("job %s still runs: cancel it first", b.ID)
		}
		rest, err := b.Rest()
		if err != nil {
			return err
		}
		if len(rest) == 0 {
			return fmt.Errorf("job %s is done: there is nothing to do again", b.ID)
		}
		return r.recorded(cmd.Context(), batch.Record{Purpose: b.Purpose, Began: time.Now(), Of: b.ID, Priority: b.Priority, Staged: b.Staged, Address: b.Address, Tasks: rest})
	}
	return cmd
}

// batchRunner adds the flags of a batch that was recorded.
func batchRunner(cmd *cobra.Command) *runner {
	r := &runner{settings: settingsOf(cmd), output: cli.OutputFlag(cmd, cli.CSV)}
	r.settings.reach(clusterURL)
	r.batchFlags(cmd)
	return r
}

// newJobsWorkCmd is what --detach starts.
func newJobsWorkCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "work JOB", Short: "Work on a batch (started by --detach)", Hidden: true, Args: cli.Takes("JOB")}
	r := batchRunner(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.stdout, r.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		b, err := opened(args[0])
		if err != nil {
			return err
		}
		return r.work(cmd.Context(), b)
	}
	return cmd
}

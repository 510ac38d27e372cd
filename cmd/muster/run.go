package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/purposes"
	"github.com/muster-fleet/muster/internal/stage"
	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/media"
)

const runLong = `Place a task, get a node for it from the worker's agent, and start it. With --wait, follow it to its end: the exit
status is the task's, and Ctrl-C stops the task. Without it, 'muster wait' and 'muster task' say later how it ended.

--spec is the work in the node's words: JSON, or a file that holds it. For media purposes that is, for example,
{"input": "in.mp4", "output": "out", "ladder": [{"height": 720, "codec": "h264"}]}; docs/media.md has all of them.
Their relative paths count from the directory in which run is called, and workers must see the same files there, or
with --stage get copies of them over the network, and send the results back.

--each makes a task of every file that fits a pattern, in which ** stands for any directories, and --list one of every
line of a file: as many at a time as the fleet takes, and waits for all of them. In --spec {file} then stands for the
file's path, {stem} for its name without the extension, {ext} for that, {dir} for its directory, and {relpath} for its
path behind the part of the pattern before the first *, without the extension. A line of a list may be JSON:
{"file": "a.mp4", "spec": {"start_seconds": 3}} sets members of the spec for that file. Two files with one output are
found before any task starts. With "existing": "keep" a media task may be repeated. A task whose worker or node dies is
done again, on another worker, up to --attempts times. It ends with a table; the exit status is 1 if any task failed.

--detach leaves the batch to a process in the background; 'muster jobs' shows it, cancels it, and does again what failed
or was not begun. That works also for a batch that Ctrl-C, or the end of its machine, has cut short.`

func newRunCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run PURPOSE TASK --spec FILE|JSON",
		Short: "Run a task on the fleet, or one for every file",
		Long:  runLong + "\n" + precedence,
		Example: `  muster run recording talk --spec '{"input":"rtsp://camera/1","output":"talk","segment_seconds":60}'
  muster run video clip-1 --spec ladder.json --wait
  muster run video --each 'in/**/*.mp4' --spec '{"input":"{file}","output":"out/{relpath}","ladder":[{"height":360}]}' --detach`,
	}
	r := &runner{settings: settingsOf(cmd), output: cli.OutputFlag(cmd, cli.CSV)}
	r.settings.reach(clusterURL)
	f := cmd.Flags()
	f.StringVar(&r.spec, "spec", "", "what is to be done: `FILE|JSON`; - reads it from stdin")
	f.StringVar(&r.room, "room", "", "`room` that the task belongs to (default: one of its own)")
	f.StringVar(&r.preference, "preference", "", "what the task needs of a worker, as `JSON`")
	f.StringVar(&r.each, "each", "", "`pattern` of files, each of which becomes a task")
	f.StringVar(&r.list, "list", "", "`file` with a path on each line, each of which becomes a task; - reads stdin")
	f.IntVar(&r.priority, "priority", 0, "while tasks of a higher `number` find no worker, those of a lower one wait; from -100 to 100")
	f.BoolVar(&r.staged, "stage", false, "send the files from this machine to the workers, and the results back")
	f.StringVar(&r.address, "stage-address", "", "`HOST:PORT` at which workers reach this machine for --stage (default: as it reaches the message queue, any port)")
	f.BoolVar(&r.wait, "wait", false, "follow the task to its end")
	r.batchFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.stdin, r.stdout, r.stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		return r.run(cmd.Context(), args)
	}
	return cmd
}

// batchFlags are those that 'jobs retry' has, too.
func (r *runner) batchFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&r.detach, "detach", false, "leave the batch to a process in the background, and print its id")
	f.IntVar(&r.attempts, "attempts", job.DefaultAttempts, "how often a task is begun before it has failed")
	f.DurationVar(&r.patience, "patience", job.DefaultPatience, "how long to wait for a worker while none of the tasks runs")
}

// runner is the command run.
type runner struct {
	settings               *settings
	output                 *cli.Format
	spec, room, preference string
	each, list             string
	wait, detach, staged   bool
	address                string
	attempts, priority     int
	patience               time.Duration
	// shown puts paths of this machine in the place of URLs of --stage, nil without it.
	shown func(string) string

	stdin          io.Reader
	stdout, stderr io.Writer
}

func (r *runner) run(ctx context.Context, args []string) error {
	jobs, err := r.jobs(args)
	if err != nil {
		return err
	}
	if r.each != "" || r.list != "" {
		return r.batch(ctx, args[0], jobs)
	}
	return r.connected(ctx, func(c *client.Client, cfg *config.Config) error {
		if !r.wait {
			return r.begin(ctx, c, jobs[0], cfg)
		}
		return r.withStage(ctx, cfg, func(s *stage.Server) error {
			if err := onStage(s, jobs); err != nil {
				return err
			}
			outcomes := r.follow(ctx, c, jobs, job.Options{})
			fromStage(s, outcomes)
			return r.tell(outcomes[0])
		})
	})
}

// connected calls f with a client of the cluster.
func (r *runner) connected(ctx context.Context, f func(*client.Client, *config.Config) error) error {
	cfg, err := r.settings.load()
	if err != nil {
		return err
	}
	conn, err := open(ctx, cfg, "muster run", nil)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return f(client.New(conn, client.Options{Cluster: cfg.Manager.Name, TryTimeout: tryTime, WaitReady: true}), cfg)
}

// follow runs jobs to their ends, and shows that beside what opts does.
func (r *runner) follow(ctx context.Context, c *client.Client, jobs []job.Job, opts job.Options) []job.Outcome {
	show := newRunShow(r.stderr, jobs)
	defer show.close()
	opts.Attempts, opts.Patience, opts.Priority = r.attempts, r.patience, r.priority
	heard := opts.OnUpdate
	opts.OnUpdate = func(u job.Update) {
		if heard != nil {
			heard(u)
		}
		if r.shown != nil && u.Err != nil {
			u.Err = shownError{u.Err, r.shown(u.Err.Error())}
		}
		show.update(u)
	}
	return job.Each(ctx, c, jobs, opts)
}

// begin starts one task and goes.
func (r *runner) begin(ctx context.Context, c *client.Client, j job.Job, cfg *config.Config) error {
	worker, node, err := job.Begin(ctx, c, j, job.Options{Patience: r.patience})
	if err != nil {
		return plain(err, cfg, r.patience)
	}
	if *r.output == cli.JSON {
		return cli.PrintJSON(r.stdout, map[string]string{"purpose": j.Purpose, "task": j.Task, "worker": worker, "node": node})
	}
	_, err = fmt.Fprintf(r.stdout, "%s %s runs on %s\n", j.Purpose, j.Task, node)
	return err
}

// jobs are what the command line asks for.
func (r *runner) jobs(args []string) ([]job.Job, error) {
	spec, err := r.readSpec()
	if err != nil {
		return nil, err
	}
	preference, err := mergePreference(r.preference, "", "")
	if err != nil {
		return nil, err
	}
	switch {
	case r.attempts < 1:
		return nil, cli.Usagef("--attempts must be at least 1, but is %d", r.attempts)
	case r.priority < job.LowestPriority || r.priority > job.HighestPriority:
		return nil, cli.Usagef("--priority must be from %d to %d, but is %d", job.LowestPriority, job.HighestPriority, r.priority)
	case r.address != "" && !r.staged:
		return nil, cli.Usagef("--stage-address is for --stage: add it")
	case r.staged && r.each == "" && r.list == "" && !r.wait:
		return nil, cli.Usagef("--stage needs --wait: this command serves the files")
	case r.each != "" && r.list != "":
		return nil, cli.Usagef("--each and --list exclude each other: give a pattern or a list")
	case r.each != "" || r.list != "":
		return r.oneForEach(args, spec, preference)
	case r.detach:
		return nil, cli.Usagef("--detach is for --each and --list: a single task goes on by itself without --wait")
	case len(args) != 2:
		return nil, cli.Usagef("run takes PURPOSE TASK, or PURPOSE --each PATTERN, got %d arguments", len(args))
	}
	if spec, err = fromHere(args[0], spec); err != nil {
		return nil, err
	}
	if preference, err = needLabels(preference, spec); err != nil {
		return nil, err
	}
	return []job.Job{{Purpose: args[0], Task: args[1], Room: r.room, Spec: spec, Preference: preference}}, nil
}

// fromHere makes the relative paths of a media spec those of this directory: the
// worker has another one.
func fromHere(purpose string, spec json.RawMessage) (json.RawMessage, error) {
	kind := purposes.Of(purpose).Media
	if kind == "" {
		return spec, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return media.FromDir(kind, spec, here), nil
}

// readSpec returns the JSON of --spec; nil where there is none.
func (r *runner) readSpec() (json.RawMessage, error) {
	text := []byte(strings.TrimSpace(r.spec))
	var err error
	switch {
	case len(text) == 0:
		return nil, nil
	case string(text) == "-":
		text, err = io.ReadAll(r.stdin)
	case !strings.ContainsAny(string(text[0]), `{["`):
		text, err = os.ReadFile(string(text))
	}
	if err != nil {
		return nil, fmt.Errorf("--spec: %w", err)
	}
	if err := json.Unmarshal(text, new(any)); err != nil {
		return nil, cli.Usagef("--spec is neither JSON nor a file with JSON: %v", err)
	}
	return text, nil
}

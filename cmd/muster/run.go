package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/job"
)

const runLong = `Place a task, get a node for it from the worker's agent, and start it. With --wait, follow it to its end: the exit
status is the task's, and Ctrl-C stops the task.

--spec is the work in the node's words: JSON, or a file that holds it. For media purposes that is, for example,
{"input": "in.mp4", "output": "out", "ladder": [{"height": 720, "codec": "h264"}]}; docs/media.md has all of them.

--each makes a task of every file that fits a pattern, as many at a time as the fleet takes, and waits for all of
them. In --spec {file} then stands for the file's path, {stem} for its name without the extension, {ext} for that, {dir} for
its directory, and {relpath} for its path behind the part of the pattern before the first *, without the extension. Two files
with one output are found before any task starts. With "existing": "keep" a media task may be repeated. A task whose worker or node dies is done again, on another worker, up to
--attempts times. It ends with a table; the exit status is 1 if any task failed.`

func newRunCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run PURPOSE TASK --spec FILE|JSON",
		Short: "Run a task on the fleet, or one for every file",
		Long:  runLong + "\n" + precedence,
		Example: `  muster run recording talk --spec '{"input":"rtsp://camera/1","output":"talk","segment_seconds":60}'
  muster run video clip-1 --spec ladder.json --wait
  muster run video --each 'in/*.mp4' --spec '{"input":"{file}","output":"out/{stem}","ladder":[{"height":360}]}'`,
	}
	r := &runner{settings: settingsOf(cmd), output: cli.OutputFlag(cmd)}
	r.settings.reach(clusterURL)
	f := cmd.Flags()
	f.StringVar(&r.spec, "spec", "", "what is to be done: `FILE or JSON`; - reads it from stdin")
	f.StringVar(&r.room, "room", "", "`room` that the task belongs to (default: one of its own)")
	f.StringVar(&r.preference, "preference", "", "what the task needs of a worker, as `JSON`")
	f.StringVar(&r.each, "each", "", "`pattern` of files, each of which becomes a task")
	f.BoolVar(&r.wait, "wait", false, "follow the task to its end")
	f.IntVar(&r.attempts, "attempts", job.DefaultAttempts, "how often a task is begun before it has failed")
	f.DurationVar(&r.patience, "patience", job.DefaultPatience, "how long to wait for a worker while none of the tasks runs")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.stdin, r.stdout, r.stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		return r.run(cmd.Context(), args)
	}
	return cmd
}

// runner is the command run.
type runner struct {
	settings               *settings
	output                 *cli.Format
	spec, room, preference string
	each                   string
	wait                   bool
	attempts               int
	patience               time.Duration

	stdin          io.Reader
	stdout, stderr io.Writer
}

func (r *runner) run(ctx context.Context, args []string) error {
	jobs, err := r.jobs(args)
	if err != nil {
		return err
	}
	cfg, err := r.settings.load()
	if err != nil {
		return err
	}
	conn, err := open(ctx, cfg, "muster run", nil)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	c := client.New(conn, client.Options{Cluster: cfg.Manager.Name, TryTimeout: tryTime, WaitReady: true})
	if !r.wait && r.each == "" {
		return r.begin(ctx, c, jobs[0], cfg)
	}
	show := newRunShow(r.stderr, jobs)
	outcomes := job.Each(ctx, c, jobs, job.Options{Attempts: r.attempts, Patience: r.patience, OnUpdate: show.update})
	show.close()
	return r.tell(outcomes)
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
	if r.attempts < 1 {
		return nil, cli.Usagef("--attempts must be at least 1, but is %d", r.attempts)
	}
	if r.each != "" {
		return r.oneForEach(args, spec, preference)
	}
	if len(args) != 2 {
		return nil, cli.Usagef("run takes PURPOSE TASK, or PURPOSE --each PATTERN, got %d arguments", len(args))
	}
	return []job.Job{{Purpose: args[0], Task: args[1], Room: r.room, Spec: spec, Preference: preference}}, nil
}

func (r *runner) oneForEach(args []string, spec json.RawMessage, preference any) ([]job.Job, error) {
	if len(args) != 1 {
		return nil, cli.Usagef("run --each takes PURPOSE alone: the tasks are named after the files; got %d arguments", len(args))
	}
	files, err := filepath.Glob(r.each)
	if err != nil {
		return nil, cli.Usagef("--each: %q is no pattern: %v", r.each, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("--each: no file fits %q: put the pattern in quotes, so that the shell leaves it alone", r.each)
	}
	if !strings.Contains(string(spec), "{file}") {
		return nil, cli.Usagef("--spec does not have {file}, so that every task would do the same")
	}
	slices.Sort(files)
	jobs := make([]job.Job, len(files))
	for i, file := range files {
		if strings.HasPrefix(file, "-") { // never an option of what reads it
			file = "./" + file
		}
		own, err := specFor(spec, r.each, file)
		if err != nil {
			return nil, err
		}
		jobs[i] = job.Job{Purpose: args[0], Task: file, Room: r.room, Spec: own, Preference: preference}
	}
	return jobs, collision(jobs)
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

// specFor puts a file's names in the place of the words in braces, in every
// string of the spec.
func specFor(spec json.RawMessage, pattern, file string) (json.RawMessage, error) {
	var tree any
	if err := json.Unmarshal(spec, &tree); err != nil {
		return nil, err
	}
	return json.Marshal(eachString(tree, fileWords(pattern, file).Replace))
}

// dirOf is the directory of a file, which is never an option either.
func dirOf(file string) string {
	dir := filepath.Dir(file)
	if strings.HasPrefix(dir, "-") {
		return "./" + dir
	}
	return dir
}

func eachString(tree any, f func(string) string) any {
	switch v := tree.(type) {
	case string:
		return f(v)
	case []any:
		for i := range v {
			v[i] = eachString(v[i], f)
		}
	case map[string]any:
		for key := range v {
			v[key] = eachString(v[key], f)
		}
	}
	return tree
}

// result is an outcome in the words of -o json.
type result struct {
	Purpose  string  `json:"purpose"`
	Task     string  `json:"task"`
	Worker   string  `json:"worker"`
	Node     string  `json:"node"`
	Attempts int     `json:"attempts"`
	Seconds  float64 `json:"seconds"`
	Result   string  `json:"result"`
	Error    string  `json:"error,omitempty"`
	// Warnings say in what the result is not what one might expect.
	Warnings []warning `json:"warnings,omitempty"`
	// Detail is what the node said last.
	Detail json.RawMessage `json:"detail,omitempty"`
}

func resultOf(o job.Outcome) result {
	r := result{
		Purpose: o.Job.Purpose, Task: o.Job.Task, Worker: o.Worker, Node: o.Node, Attempts: o.Attempts,
		Seconds: o.Took.Seconds(), Result: "done", Detail: o.Report.Detail,
	}
	r.read(o.Report.Detail)
	if o.Err != nil {
		r.Result, r.Error = "failed", o.Err.Error()
	}
	return r
}

// tell prints how the tasks ended; its error is that some failed.
func (r *runner) tell(outcomes []job.Outcome) error {
	results, failed := make([]result, len(outcomes)), 0
	for i, o := range outcomes {
		if results[i] = resultOf(o); o.Err != nil {
			failed++
		}
	}
	if err := r.print(results); err != nil {
		return err
	}
	switch {
	case failed == 0:
		return nil
	case len(outcomes) == 1:
		return interrupted(outcomes[0].Err)
	}
	return fmt.Errorf("%d of %d tasks failed", failed, len(outcomes))
}

func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted: the task was stopped")
	}
	return err
}

func (r *runner) print(results []result) error {
	if *r.output == cli.JSON {
		return cli.PrintJSON(r.stdout, results)
	}
	t := cli.Table{Heading: []string{"TASK", "WORKER", "SECONDS", "ATTEMPTS", "WARNINGS", "RESULT"}}
	for _, one := range results {
		t.Add(one.Task, orWord(one.Worker, "-"), fmt.Sprintf("%.1f", one.Seconds), fmt.Sprint(one.Attempts), orWord(one.named(), "-"), oneLine(one))
	}
	return t.Print(r.stdout)
}

// oneLine is a result without what follows the error's first line.
func oneLine(r result) string {
	if r.Error == "" {
		return r.Result
	}
	first, _, _ := strings.Cut(r.Error, "\n")
	return r.Result + ": " + first
}

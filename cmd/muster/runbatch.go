package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/batch"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/stage"
	"github.com/muster-fleet/muster/job"
)

// batch records jobs, and runs them, here or in the background.
func (r *runner) batch(ctx context.Context, purpose string, jobs []job.Job) error {
	record := batch.Record{Purpose: purpose, Began: time.Now(), Priority: r.priority, Staged: r.staged, Address: r.address}
	for _, j := range jobs {
		wants, err := json.Marshal(j.Preference)
		if err != nil {
			return err
		}
		record.Tasks = append(record.Tasks, batch.Task{Name: j.Task, Room: j.Room, Spec: j.Spec, Preference: wants})
	}
	return r.recorded(ctx, record)
}

// recorded runs what a new record asks for.
func (r *runner) recorded(ctx context.Context, record batch.Record) error {
	store, err := batch.Home()
	if err != nil {
		return err
	}
	b, err := store.Create(record)
	if err != nil {
		return err
	}
	if r.detach {
		return r.leave(b)
	}
	return r.work(ctx, b)
}

// work runs a batch to its end.
func (r *runner) work(ctx context.Context, b *batch.Batch) error {
	if err := b.Take(); err != nil {
		return err
	}
	defer b.Release()
	r.priority, r.staged, r.address = b.Priority, b.Staged, b.Address
	rest, err := b.Rest()
	if err != nil {
		return err
	}
	return r.connected(ctx, func(c *client.Client, cfg *config.Config) error {
		return r.withStage(ctx, cfg, func(s *stage.Server) error {
			var jobs []job.Job
			var results []result
			var unrecorded error
			record := func(what result) {
				if err := b.Add(what); err != nil {
					unrecorded = err
				}
			}
			for _, t := range rest {
				if one, ended := endedSince(ctx, c, b.Purpose, t); ended {
					record(one)
					results = append(results, one)
					continue
				}
				jobs = append(jobs, job.Job{Purpose: b.Purpose, Task: t.Name, Room: t.Room, Spec: t.Spec, Preference: t.Preference})
			}
			if err := onStage(s, jobs); err != nil {
				return err
			}
			begun := map[[2]string]bool{}
			outcomes := r.follow(ctx, c, jobs, job.Options{
				By: byBatch(b.ID),
				OnUpdate: func(u job.Update) {
					at := [2]string{u.Job.Task, u.Node}
					if u.Phase == job.Running && !begun[at] {
						begun[at] = true
						record(result{Purpose: b.Purpose, Task: u.Job.Task, Worker: u.Worker, Node: u.Node, Attempts: u.Attempt, Result: batch.BegunResult})
					}
				},
				OnOutcome: func(o job.Outcome) {
					one := []job.Outcome{o}
					fromStage(s, one)
					record(resultOf(one[0]))
				},
			})
			fromStage(s, outcomes)
			for _, o := range outcomes {
				results = append(results, resultOf(o))
			}
			return cmp.Or(r.tellAll(results, b.ID), unrecorded)
		})
	})
}

// byBatch begins TaskOrder.By of the tasks of a batch.
func byBatch(id string) string { return id + "/" }

// endedSince asks the worker on which a task was begun, by a process that ended
// before it, whether it is done: it need not be done again. A task that goes on is
// joined, and one that failed is begun again.
func endedSince(ctx context.Context, c *client.Client, purpose string, t batch.Task) (result, bool) {
	if t.Begun == nil {
		return result{}, false
	}
	report, err := c.QueryTask(ctx, t.Begun.Worker, t.Name)
	if err != nil || report.State != muster.TaskDone || !strings.HasPrefix(report.By, byBatch(t.Begun.Batch)) {
		return result{}, false
	}
	var d struct {
		Plan json.RawMessage `json:"plan"`
	}
	if json.Unmarshal(report.Detail, &d) == nil && d.Plan != nil {
		return result{}, false // it was to go on in parts
	}
	one := taskStory{purpose, t.Begun.Worker, report}.result()
	return one, true
}

// leave starts a process that works on the batch when this one has ended.
func (r *runner) leave(b *batch.Batch) error {
	this, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(b.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("--detach: %w", err)
	}
	defer log.Close()
	args := []string{"jobs", "work", b.ID, "--attempts", fmt.Sprint(r.attempts), "--patience", r.patience.String()}
	if r.settings.file != "" {
		args = append(args, "--config", r.settings.file)
	}
	for _, flag := range r.settings.given() {
		args = append(args, flag.Name+"="+flag.Value)
	}
	cmd := exec.Command(this, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = apart()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("--detach: %w", err)
	}
	if err := cmd.Process.Release(); err != nil {
		return fmt.Errorf("--detach: %w", err)
	}
	if *r.output == cli.JSON {
		return cli.PrintJSON(r.stdout, map[string]any{"job": b.ID, "tasks": len(b.Tasks)})
	}
	_, err = fmt.Fprintf(r.stdout, "%s\n", b.ID)
	if err == nil {
		_, err = fmt.Fprintf(r.stderr, "%d tasks run in the background: muster jobs show %s\n", len(b.Tasks), b.ID)
	}
	return err
}

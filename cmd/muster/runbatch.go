package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

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
	jobs := make([]job.Job, len(rest))
	for i, t := range rest {
		jobs[i] = job.Job{Purpose: b.Purpose, Task: t.Name, Room: t.Room, Spec: t.Spec, Preference: t.Preference}
	}
	return r.connected(ctx, func(c *client.Client, cfg *config.Config) error {
		return r.withStage(ctx, cfg, func(s *stage.Server) error {
			if err := onStage(s, jobs); err != nil {
				return err
			}
			var unrecorded error
			outcomes := r.follow(ctx, c, jobs, func(o job.Outcome) {
				one := []job.Outcome{o}
				fromStage(s, one)
				if err := b.Add(resultOf(one[0])); err != nil {
					unrecorded = err
				}
			})
			fromStage(s, outcomes)
			if err := r.tell(outcomes, b.ID); err != nil {
				return err
			}
			return unrecorded
		})
	})
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
	if r.output == runFormat(cli.JSON) {
		return cli.PrintJSON(r.stdout, map[string]any{"job": b.ID, "tasks": len(b.Tasks)})
	}
	_, err = fmt.Fprintf(r.stdout, "%s\n", b.ID)
	if err == nil {
		_, err = fmt.Fprintf(r.stderr, "%d tasks run in the background: muster jobs show %s\n", len(b.Tasks), b.ID)
	}
	return err
}

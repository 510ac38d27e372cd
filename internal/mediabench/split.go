package mediabench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// SplitResult is a round of one long film. Times are in nanoseconds.
type SplitResult struct {
	Round   int `json:"round"`
	Workers int `json:"workers"`
	// One is without split, Split with it: both on workers that have one processor
	// each.
	One   time.Duration `json:"one_ns"`
	Split time.Duration `json:"split_ns"`
	// Speedup is how much faster the second is, PerWorker that by worker.
	Speedup   float64 `json:"speedup"`
	PerWorker float64 `json:"per_worker"`
	Load      string  `json:"load"`
}

// RunSplit measures one film of o.Seconds on o.Parallel workers, each of which is
// held to a processor of its own, with split and without, in turns.
func RunSplit(ctx context.Context, o Options) (results []SplitResult, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return nil, fmt.Errorf("media: --split holds each worker to a processor: %w", err)
	}
	dir, err := os.MkdirTemp("", "musterbench-split-")
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	defer os.RemoveAll(dir)
	o.Clips = 1
	b := &bench{Options: o, dir: dir}
	if err := b.makeClips(ctx); err != nil {
		return nil, err
	}
	if b.fleet, err = startPinned(ctx, o, dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.fleet.stop()) }()
	for round := 1; round <= o.Rounds; round++ {
		r := SplitResult{Round: round, Workers: o.Parallel, Load: loadAverage()}
		for turn := range 2 {
			split := (turn+round)%2 == 0
			_, took, err := b.run(ctx, fmt.Sprintf("%d-%v", round, split), "*", split)
			if err != nil {
				return results, err
			}
			if split {
				r.Split = took
			} else {
				r.One = took
			}
		}
		r.Speedup = r.One.Seconds() / r.Split.Seconds()
		r.PerWorker = r.Speedup / float64(r.Workers)
		results = append(results, r)
		if o.Progress != nil {
			o.Progress(float64(round) / float64(o.Rounds))
		}
	}
	return results, nil
}

// startPinned starts a queue with a manager, and agents on one processor each.
func startPinned(ctx context.Context, o Options, dir string) (*fleet, error) {
	return startFleet(ctx, o, dir, func(f *fleet) error {
		for i := range o.Parallel {
			id := fmt.Sprintf("bench-agent-%d", i)
			err := f.start(ctx, dir, id, "taskset", "-c", fmt.Sprint(i), o.Muster, "agent", "--purpose", "video", "--id", id,
				"--dir", filepath.Join(dir, id), "--load", "memory", "--max-load", "1", "--max-tasks", "1", "--url", f.url)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

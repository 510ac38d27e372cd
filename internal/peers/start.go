package peers

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/muster-fleet/muster/internal/bench/measure"
	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// StartOptions configure a run of Start.
type StartOptions struct {
	// Muster and NATS are as in Options; Least is the program leastnats.
	Muster string
	NATS   []string
	Least  string
	// Pairs is how often each program runs; the two take turns.
	Pairs int
}

// Validate returns an error that names the invalid option.
func (o StartOptions) Validate() error {
	if o.Pairs < 1 {
		return fmt.Errorf("peers: pairs must be at least 1, but is %d", o.Pairs)
	}
	return nil
}

// StartResult is what running one program took, as medians.
type StartResult struct {
	Program string        `json:"program"`
	Pairs   int           `json:"pairs"`
	Wall    time.Duration `json:"wall_ns"`
	CPU     time.Duration `json:"cpu_ns"`
	// The ratios are those to the least program, medians of single pairs.
	WallRatio float64 `json:"wall_ratio"`
	CPURatio  float64 `json:"cpu_ratio"`
}

// Start measures how long a shell waits for `muster schedule`, beside the least
// program that sends the same request, in turns.
func Start(ctx context.Context, o StartOptions) ([]StartResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c, err := startMuster(ctx, Options{Muster: o.Muster, NATS: o.NATS, Workers: 3}, 1)
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	defer c.close()
	f := c.(*fleet)
	// The task stays placed: all runs ask for the same.
	const task = "task-started"
	programs := []*program{
		{name: "muster schedule", args: []string{o.Muster, "schedule", testbed.Purpose, task,
			"--isp", "isp-0", "--region", "region-0", "--reserve", "1h", "--url", f.url, "--cluster", f.cluster}},
		{name: "leastnats", args: []string{o.Least, f.url, "muster.rpc." + f.cluster,
			fmt.Sprintf(`{"method":"schedule","args":[%q,%q,{"isp":"isp-0","region":"region-0"},3600000],"corrID":1}`, testbed.Purpose, task)}},
	}
	for pair := range o.Pairs + 1 { // the first is a warm-up
		for _, p := range programs {
			if err := p.run(ctx, pair > 0); err != nil {
				return nil, err
			}
		}
	}
	least := programs[1]
	results := make([]StartResult, len(programs))
	for i, p := range programs {
		results[i] = StartResult{
			Program: p.name, Pairs: o.Pairs, Wall: median(p.wall), CPU: median(p.cpu),
			WallRatio: measure.Round(median(ratios(p.wall, least.wall)), 2), CPURatio: measure.Round(median(ratios(p.cpu, least.cpu)), 2),
		}
	}
	return results, nil
}

// program is a command that runs several times.
type program struct {
	name      string
	args      []string
	wall, cpu []time.Duration
}

func (p *program) run(ctx context.Context, counted bool) error {
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	began := time.Now()
	_, err := cmd.Output()
	wall := time.Since(began)
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return fmt.Errorf("peers: %s: %w: %s", p.name, err, failed.Stderr)
		}
		return fmt.Errorf("peers: %s: %w", p.name, err)
	}
	if counted {
		p.wall = append(p.wall, wall)
		p.cpu = append(p.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	}
	return nil
}

func median[N time.Duration | float64](list []N) N {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}

func ratios[N time.Duration | float64](a, b []N) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = float64(a[i]) / float64(max(b[i], 1))
	}
	return out
}

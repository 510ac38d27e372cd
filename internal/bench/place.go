package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/bench/testbed"
	"github.com/muster-fleet/muster/internal/state"
)

// PlaceOptions say what Place measures.
type PlaceOptions struct {
	// Workers is the size of the fleet, spread evenly over ISPs × Regions.
	Workers, ISPs, Regions int
	// Tasks is how many are placed. 0 means 20 a worker, and at least 100,000.
	Tasks int
	// PerWorker bounds how many tasks a worker holds at a time, on average:
	// past that the oldest task ends for each that is placed. 0 means that no
	// task ends.
	PerWorker int
	Strategy  muster.Strategy
	Debit     state.Debit
	// Load is what every worker reports before the first task, Spread how much
	// more than that some of them do, drawn evenly.
	Load, Spread float64
	// Seed decides the loads, the order in which tasks ask for isps and
	// regions, and the randomness of the strategies.
	Seed uint64
	// Progress, where it is set, is called now and then with how much is done.
	Progress func(done, total int)
}

// DefaultPlaceOptions returns a fleet of 10,000 equal workers.
func DefaultPlaceOptions() PlaceOptions {
	return PlaceOptions{
		Workers: 10_000, ISPs: 4, Regions: 8, PerWorker: 20,
		Strategy: muster.LeastUsed, Debit: state.DefaultConfig().Debit, Load: 0.1, Seed: 1,
	}
}

// PlaceResult is what Place measured.
type PlaceResult struct {
	Strategy muster.Strategy `json:"strategy"`
	Workers  int             `json:"workers"`
	// Tasks is how many were asked for, Failed how many of them got no worker.
	// Failed ones count in the times below.
	Tasks  int `json:"tasks"`
	Failed int `json:"failed"`
	// Reason is why the first of the failed ones got none.
	Reason string `json:"reason,omitempty"`
	// PerS is how many tasks were placed in a second of deciding. Making the
	// commands and ending old tasks is not in it.
	PerS int64 `json:"per_s"`
	// P50 and P99 are times of single decisions, one in 16 being looked at.
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	// Release is the mean time of ending a task, 0 where none ended.
	Release time.Duration `json:"release_ns"`
	// MaxOverMean is the number of tasks that were placed on a worker ÷ the
	// mean of the workers of its isp and region, for the worker where that is
	// largest. LoadMaxOverMean is the same of load with debit, at the end.
	MaxOverMean     float64 `json:"max_over_mean"`
	LoadMaxOverMean float64 `json:"load_max_over_mean"`
	// BytesPerTask is by how much memory grew ÷ the tasks held at the end.
	BytesPerTask int64 `json:"bytes_per_task"`
	// Clock is what reading the clock costs. It is taken off the times above.
	Clock time.Duration `json:"clock_ns"`
	// Interrupted reports that the run was ended early.
	Interrupted bool `json:"interrupted,omitempty"`
}

func (o PlaceOptions) withDefaults() PlaceOptions {
	if o.Tasks == 0 {
		o.Tasks = max(100_000, 20*o.Workers)
	}
	return o
}

// Validate returns what is wrong, by the name of the option.
func (o PlaceOptions) Validate() error {
	switch {
	case o.Workers < 1:
		return errors.New("bench: workers must be at least 1")
	case o.Tasks < 0:
		return errors.New("bench: tasks must not be negative (0 means 20 a worker)")
	case o.ISPs < 1 || o.Regions < 1:
		return errors.New("bench: isps and regions must be at least 1")
	case o.PerWorker < 0:
		return errors.New("bench: per-worker must not be negative (0 means that no task ends)")
	case o.Load < 0 || o.Spread < 0 || o.Load+o.Spread > 1:
		return errors.New("bench: load and spread must not be negative, and not more than 1 together")
	}
	_, err := muster.ParseStrategy(string(o.Strategy))
	return err
}

// Place gives tasks to one state in one goroutine, and measures each decision:
// no queue, no manager. Once ctx is done it returns what was measured so far.
func Place(ctx context.Context, o PlaceOptions) (PlaceResult, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return PlaceResult{}, err
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	f := testbed.NewFleet(o.Workers, o.ISPs, o.Regions, o.Load, o.Spread, rng)
	s, err := populate(f, o)
	if err != nil {
		return PlaceResult{}, err
	}
	r := newPlaceRun(s, f, o, rng)
	r.run(ctx)
	return r.result(), nil
}

// startOfTime is the time of the first command; any would do.
const startOfTime muster.Instant = 1_700_000_000_000

// populate returns a state that the fleet has joined and reported to.
func populate(f *testbed.Fleet, o PlaceOptions) (*state.State, error) {
	cfg := state.DefaultConfig()
	cfg.Strategies = map[string]muster.Strategy{testbed.Purpose: o.Strategy}
	cfg.Debit = o.Debit
	s := state.New(cfg)
	s.TaskEvents(false) // as in a manager where no one reads the events of tasks
	loads := make([]state.WorkerLoad, len(f.Workers))
	for i, w := range f.Workers {
		info, err := w.Info()
		if err != nil {
			return nil, err
		}
		join := state.Join{Purpose: testbed.Purpose, Worker: w.ID, Info: info}
		if result, _ := s.Apply(state.Command{At: startOfTime, Op: join}); result.Err != nil {
			return nil, fmt.Errorf("bench: join %s: %w", w.ID, result.Err)
		}
		loads[i] = state.WorkerLoad{Worker: w.ID, Load: w.Load}
	}
	result, _ := s.Apply(state.Command{At: startOfTime, Op: state.ReportLoad{Loads: loads}})
	if result.Err != nil {
		return nil, fmt.Errorf("bench: report the loads: %w", result.Err)
	}
	return s, nil
}

// taskName is short and never the same, as a session's id would be.
func taskName(n int) string { return "task-" + strconv.Itoa(n) }

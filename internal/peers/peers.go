// Package peers compares Muster with what a team might write instead: claims by
// compare-and-set on a JetStream key-value bucket, and transactions on etcd. All
// servers are separate processes that keep their logs in memory, and the contenders
// take turns in one run.
package peers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/bench/measure"
)

// Options configure a run.
type Options struct {
	// Muster and NATS are the commands that run a manager ("manager" and its
	// flags are added) and a NATS server (flags as those of ServeNATS), Etcd is
	// the program of etcd.
	Muster string
	NATS   []string
	Etcd   string
	// Servers are the numbers of servers to measure with: managers, members of the
	// bucket's stream, members of etcd.
	Servers []int
	// Inflight are the numbers of concurrent claims.
	Inflight []int
	// Callers are the numbers of independent callers that share the claims in
	// flight; each has a connection and a view of the workers of its own. More
	// than one is measured at 64 in flight only.
	Callers []int
	// Batch are the numbers of tasks that a call of Muster places; a claim of the
	// others is one task.
	Batch []int
	// Disk is a directory on a disk in which all keep their logs; "" is in memory.
	// Managers and etcd wait for the disk before they answer, JetStream does not
	// unless it is set to sync: that is a contender of its own.
	Disk string
	// Workers is how many workers can be claimed.
	Workers int
	// Duration is the time of each measurement for all contenders together, Slice
	// the length of one turn.
	Duration, Slice time.Duration
	// config is more for the managers' configuration.
	config string
	// Progress, if set, is called with the share of the run that is done.
	Progress func(done float64)
}

// DefaultOptions returns options that end within ten minutes.
func DefaultOptions() Options {
	return Options{
		Etcd: "etcd", Servers: []int{1, 3}, Inflight: []int{1, 64, 256}, Callers: []int{1, 4}, Batch: []int{1, 32},
		Workers: 100, Duration: 15 * time.Second, Slice: 500 * time.Millisecond,
	}
}

// sharedInflight is how many claims are in flight when several callers are measured.
const sharedInflight = 64

// Validate returns an error that names the invalid option.
func (o Options) Validate() error {
	switch {
	case o.Muster == "":
		return errors.New("peers: muster must name the program")
	case len(o.NATS) == 0:
		return errors.New("peers: nats must name a command")
	case o.Workers < 1:
		return errors.New("peers: workers must be at least 1")
	}
	for name, numbers := range map[string][]int{"servers": o.Servers, "inflight": o.Inflight, "callers": o.Callers, "batch": o.Batch} {
		if len(numbers) == 0 || slices.Min(numbers) < 1 {
			return fmt.Errorf("peers: %s must be numbers of at least 1", name)
		}
	}
	if slices.Max(o.Batch) > muster.MaxScheduleMany {
		return fmt.Errorf("peers: batch must not be more than %d", muster.MaxScheduleMany)
	}
	if sides := len(o.contenders()) - 1 + len(o.Batch); o.Slice <= 0 || o.Duration < time.Duration(sides)*o.Slice {
		return fmt.Errorf("peers: duration must have room for a slice of each of %d contenders at least", sides)
	}
	return nil
}

// Result is what was measured of one contender.
type Result struct {
	// Contender is "muster", "jetstream-kv", "etcd" or, on a disk, also
	// "jetstream-kv-sync" or "disk".
	Contender string `json:"contender"`
	Servers   int    `json:"servers"`
	Callers   int    `json:"callers"`
	Inflight  int    `json:"inflight"`
	// Batch is how many tasks a call placed.
	Batch int `json:"batch"`
	// PerS is how many tasks per second got a worker. Ratio is Muster's PerS ÷ this,
	// BatchRatio the same for Muster's largest Batch; Muster's Ratio is with the first
	// one.
	PerS       int64   `json:"per_s"`
	Ratio      float64 `json:"muster_ratio"`
	BatchRatio float64 `json:"muster_batch_ratio"`
	// Tries is the average number of tries until a claim succeeded.
	Tries float64 `json:"tries"`
	// How long a claim took, or a call of several tasks.
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	// Failed is how many claims ended with an error, Reason why the first did.
	Failed int    `json:"failed"`
	Reason string `json:"reason,omitempty"`
}

// contender is a way to assign tasks to workers.
type contender interface {
	// connect starts the callers, in place of the previous ones.
	connect(ctx context.Context, callers int) error
	// claim assigns the task a worker and returns the number of tries.
	claim(ctx context.Context, caller int, task string) (tries int, err error)
	close()
}

// batcher is a contender that also places several tasks in a call.
type batcher interface {
	claimMany(ctx context.Context, caller int, tasks []string) error
}

// start is how a contender is started.
type start struct {
	name  string
	start func(ctx context.Context, o Options, servers int) (contender, error)
}

// contenders returns the contenders to measure, Muster first. On a disk, there are
// JetStream that waits for it as the others do, and what the disk itself allows.
func (o Options) contenders() []start {
	all := []start{{"muster", startMuster}, {"jetstream-kv", startKV}, {"etcd", startEtcd}}
	if o.Disk != "" {
		all = append(all, start{"jetstream-kv-sync", startSyncedKV}, start{"disk", startDisk})
	}
	return all
}

// Run measures all contenders. Once ctx ends it returns what was measured so
// far.
func Run(ctx context.Context, o Options) ([]Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	plan := o.plan()
	var results []Result
	for i, servers := range o.Servers {
		progress := func(done float64) {
			if o.Progress != nil {
				o.Progress((float64(i) + done) / float64(len(o.Servers)))
			}
		}
		some, err := runServers(ctx, o, servers, plan, progress)
		results = append(results, some...)
		if err != nil || ctx.Err() != nil {
			return results, err
		}
	}
	return results, nil
}

// round is one measurement.
type round struct{ callers, inflight int }

func (o Options) plan() []round {
	var plan []round
	for _, callers := range o.Callers {
		inflight := o.Inflight
		if callers > 1 {
			inflight = []int{max(sharedInflight, callers)}
		}
		for _, n := range inflight {
			plan = append(plan, round{callers, n})
		}
	}
	return plan
}

func runServers(ctx context.Context, o Options, servers int, plan []round, progress func(float64)) ([]Result, error) {
	contenders := o.contenders()
	running := make([]contender, len(contenders))
	defer func() {
		for _, c := range running {
			if c != nil {
				c.close()
			}
		}
	}()
	for i, c := range contenders {
		started, err := c.start(ctx, o, servers)
		if err != nil {
			return nil, fmt.Errorf("peers: %s with %d servers: %w", c.name, servers, err)
		}
		running[i] = started
	}
	var results []Result
	for i, r := range plan {
		some, err := measureRound(ctx, o, running, r)
		if err != nil {
			return results, err
		}
		for j := range some {
			some[j].Servers = servers
		}
		results = append(results, some...)
		progress(float64(i+1) / float64(len(plan)))
		if ctx.Err() != nil {
			break
		}
	}
	return results, nil
}

// side is one contender in a round, which places so many tasks in a call.
type side struct {
	contender
	name  string
	batch int
	load  *measure.Load
	tries atomic.Int64
	calls atomic.Int64
}

// claims numbers the tasks of all rounds, so that no two share a name.
var claims atomic.Int64

func newTask() string { return fmt.Sprintf("task-%d", claims.Add(1)) }

// sides are the contenders of a round, Muster once for each Batch.
func (o Options) sides(running []contender) (all []*side) {
	contenders := o.contenders()
	for i, c := range running {
		batches := []int{1}
		if _, ok := c.(batcher); ok {
			batches = o.Batch
		}
		for _, n := range batches {
			all = append(all, &side{contender: c, name: contenders[i].name, batch: n})
		}
	}
	return all
}

// call assigns new tasks workers.
func (s *side) call(ctx context.Context, caller int) error {
	s.calls.Add(1)
	if s.batch == 1 {
		tries, err := s.claim(ctx, caller, newTask())
		s.tries.Add(int64(tries))
		return err
	}
	s.tries.Add(1)
	tasks := make([]string, s.batch)
	for i := range tasks {
		tasks[i] = newTask()
	}
	return s.contender.(batcher).claimMany(ctx, caller, tasks)
}

func measureRound(ctx context.Context, o Options, running []contender, r round) ([]Result, error) {
	for i, c := range running {
		if err := c.connect(ctx, r.callers); err != nil {
			return nil, fmt.Errorf("peers: %s: %w", o.contenders()[i].name, err)
		}
	}
	sides := o.sides(running)
	for _, s := range sides {
		s.load = measure.NewLoad(r.inflight, func(ctx context.Context, lane int) error { return s.call(ctx, lane%r.callers) })
		s.load.Slice(ctx, o.Slice) // warm-up, not counted
		s.load.Forget()
		s.tries.Store(0)
		s.calls.Store(0)
	}
	for range int(o.Duration / (time.Duration(len(sides)) * o.Slice)) {
		for _, s := range sides {
			s.load.Slice(ctx, o.Slice)
		}
	}
	results := make([]Result, len(sides))
	for i, s := range sides {
		results[i] = s.result(r)
	}
	compare(results)
	return results, nil
}

// compare adds the ratios of Muster, which stands first, to each.
func compare(results []Result) {
	batch := results[0]
	for _, r := range results {
		if r.Contender == batch.Contender && r.Batch > batch.Batch {
			batch = r
		}
	}
	for i := range results {
		if r := &results[i]; r.PerS > 0 {
			r.Ratio = measure.Round(float64(results[0].PerS)/float64(r.PerS), 2)
			r.BatchRatio = measure.Round(float64(batch.PerS)/float64(r.PerS), 2)
		}
	}
}

func (s *side) result(r round) Result {
	times := s.load.Times()
	out := Result{
		Contender: s.name, Callers: r.callers, Inflight: r.inflight, Batch: s.batch,
		PerS: int64(s.batch) * s.load.PerSecond(), P50: times.Quantile(0.50), P99: times.Quantile(0.99),
		Tries: measure.Round(float64(s.tries.Load())/float64(max(s.calls.Load(), 1)), 2),
	}
	out.Failed, out.Reason = s.load.Failed()
	return out
}

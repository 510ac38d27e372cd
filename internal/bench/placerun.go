package bench

import (
	"context"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/bench/measure"
	"github.com/muster-fleet/muster/internal/bench/testbed"
	"github.com/muster-fleet/muster/internal/state"
)

const (
	// maxBatch is how many commands are made, at most, before they are timed.
	maxBatch = 1024
	// sampleEvery is how many decisions there are, on average, to one that is
	// timed alone. The distance varies, so that it cannot keep step with
	// anything in the fleet.
	sampleEvery = 16
	// commandsPerMilli is how fast the commands' own time passes.
	commandsPerMilli = 1000
)

// placeRun is a run of Place. Everything in it is allocated before memory is
// measured for the first time.
type placeRun struct {
	state *state.State
	fleet *testbed.Fleet
	opts  PlaceOptions
	rng   *rand.Rand
	clock time.Duration
	// hold is how many tasks are held at a time, and up to batch more.
	hold, batch int

	commands []state.Command
	chosen   []string // by command: the worker, "" where there was none
	held     *ring
	placed   []int // by worker
	done     int
	failed   int
	reason   string

	times    measure.Histogram
	busy     time.Duration
	released int
	ending   time.Duration
	heap     uint64
}

func newPlaceRun(s *state.State, f *testbed.Fleet, o PlaceOptions, rng *rand.Rand) *placeRun {
	hold := o.Tasks
	if o.PerWorker > 0 {
		hold = min(o.PerWorker*o.Workers, o.Tasks)
	}
	batch := min(max(hold/4, 1), maxBatch)
	r := &placeRun{
		state: s, fleet: f, opts: o, rng: rng, clock: measure.ClockCost(), hold: hold, batch: batch,
		commands: make([]state.Command, 0, batch),
		chosen:   make([]string, batch),
		placed:   make([]int, len(f.Workers)),
		held:     newRing(hold + batch),
	}
	r.heap = heapInUse()
	return r
}

// heapInUse returns the bytes that are reachable.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (r *placeRun) run(ctx context.Context) {
	for r.done < r.opts.Tasks && ctx.Err() == nil {
		r.prepare(min(r.batch, r.opts.Tasks-r.done))
		r.decide()
		r.account()
		r.release()
		if r.opts.Progress != nil {
			r.opts.Progress(r.done, r.opts.Tasks)
		}
	}
}

// prepare makes the next n commands.
func (r *placeRun) prepare(n int) {
	r.commands = r.commands[:0]
	for i := range n {
		p := r.fleet.Pools[r.rng.IntN(len(r.fleet.Pools))]
		r.commands = append(r.commands, r.command(i, state.Schedule{
			Purpose: testbed.Purpose, Task: taskName(r.done + i), Preference: p.Preference,
		}))
	}
}

func (r *placeRun) command(i int, op state.Op) state.Command {
	at := startOfTime + muster.Instant((r.done+i)/commandsPerMilli)
	return state.Command{At: at, Seed: r.rng.Uint64(), Op: op}
}

// decide applies the commands: some as a group that is timed as one, then one
// that is timed alone, and so on. The clock is read twice for sampleEvery
// decisions, and what that costs is taken off.
func (r *placeRun) decide() {
	for i := 0; i < len(r.commands); {
		last := min(i+r.rng.IntN(2*sampleEvery-1), len(r.commands)-1)
		start := measure.Now()
		for ; i < last; i++ {
			r.apply(i)
		}
		alone := measure.Now()
		r.apply(i)
		end := measure.Now()
		i++
		r.times.Add(end - alone - r.clock)
		r.busy += max(end-start-2*r.clock, 0)
	}
}

func (r *placeRun) apply(i int) {
	result, _ := r.state.Apply(r.commands[i])
	r.chosen[i] = result.Worker
	if result.Err != nil && r.reason == "" {
		r.reason = result.Err.Error()
	}
}

// account counts what became of the commands.
func (r *placeRun) account() {
	for i, c := range r.commands {
		worker := r.chosen[i]
		if worker == "" {
			r.failed++
			continue
		}
		r.placed[r.fleet.Index[worker]]++
		r.held.push(holding{worker: worker, task: c.Op.(state.Schedule).Task})
	}
	r.done += len(r.commands)
}

// release ends the oldest tasks where the fleet holds too many.
func (r *placeRun) release() {
	r.commands = r.commands[:0]
	for r.held.n > r.hold {
		h := r.held.pop()
		r.commands = append(r.commands, r.command(0, state.Unschedule{Worker: h.worker, Task: h.task}))
	}
	start := measure.Now()
	for _, c := range r.commands {
		r.state.Apply(c)
	}
	r.ending += measure.Now() - start
	r.released += len(r.commands)
}

func (r *placeRun) result() PlaceResult {
	clear(r.commands[:cap(r.commands)])
	grown := int64(heapInUse()) - int64(r.heap)
	out := PlaceResult{
		Strategy: r.opts.Strategy, Workers: r.opts.Workers, Tasks: r.done, Failed: r.failed, Reason: r.reason,
		PerS:        measure.PerSecond(r.done-r.failed, r.busy),
		P50:         r.times.Quantile(0.50),
		P99:         r.times.Quantile(0.99),
		MaxOverMean: measure.Round(r.fleet.MaxOverMean(func(i int) float64 { return float64(r.placed[i]) }), 4),
		Clock:       r.clock,
		Interrupted: r.done < r.opts.Tasks,
	}
	out.LoadMaxOverMean = measure.Round(r.fleet.MaxOverMean(r.loads()), 4)
	if held := r.held.n; held > 0 {
		out.BytesPerTask = max(grown, 0) / int64(held)
	}
	if r.released > 0 {
		out.Release = r.ending / time.Duration(r.released)
	}
	return out
}

// loads returns how loaded each worker counts as, debits included.
func (r *placeRun) loads() func(worker int) float64 {
	loads := make([]float64, len(r.fleet.Workers))
	for i, w := range r.fleet.Workers {
		if known, ok := r.state.Worker(w.ID); ok {
			loads[i] = known.Load + known.Debit
		}
	}
	return func(i int) float64 { return loads[i] }
}

// holding is a task on its worker.
type holding struct{ worker, task string }

// ring is a queue that never grows.
type ring struct {
	slots   []holding
	head, n int
}

func newRing(size int) *ring { return &ring{slots: make([]holding, size)} }

func (q *ring) push(h holding) {
	q.slots[(q.head+q.n)%len(q.slots)] = h
	q.n++
}

func (q *ring) pop() holding {
	h := q.slots[q.head]
	q.slots[q.head] = holding{}
	q.head = (q.head + 1) % len(q.slots)
	q.n--
	return h
}

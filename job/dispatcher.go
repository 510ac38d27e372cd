package job

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/mailbox"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/span"
)

// callTime is how long one call may take.
const callTime = 2 * time.Second

// retryTime is how long a job that found no worker waits before it tries again,
// unless another job ends first.
const retryTime = 500 * time.Millisecond

// dispatcher is shared by the jobs of one call. It lets them ask for workers in
// order.
type dispatcher struct {
	client *client.Client
	opts   Options

	// token is held by the job whose turn it is to ask for a worker.
	token chan struct{}
	// vacant is signalled when a job has ended.
	vacant mailbox.Signal

	mu      sync.Mutex // guards the following, and serializes OnUpdate
	running int
	// cooldowns holds until when workers are avoided that refused a task which
	// another one took.
	cooldowns map[string]time.Time

	fleet fleet
	// turns is nil where no other batch is heeded.
	turns *turns
}

func newDispatcher(c *client.Client, opts Options) *dispatcher {
	return &dispatcher{
		client: c, opts: opts.withDefaults(), token: make(chan struct{}, 1), vacant: mailbox.NewSignal(), cooldowns: map[string]time.Time{},
	}
}

// Each runs jobs in order, as many at a time as the fleet takes, and returns the
// outcome of each, in the same order. When ctx ends, running jobs are stopped.
func Each(ctx context.Context, c *client.Client, jobs []Job, opts Options) []Outcome {
	d := newDispatcher(c, opts)
	outcomes := make([]Outcome, len(jobs))
	if len(jobs) > 0 {
		defer d.listen(ctx, jobs[0].Purpose)()
	}
	before := make(chan struct{})
	close(before)
	var all sync.WaitGroup
	for i, j := range jobs {
		r := newRun(j, d)
		r.parts = true
		r.before = before
		before = r.placed
		all.Go(func() { outcomes[i] = r.outcome(ctx) })
	}
	all.Go(func() {
		<-before // all have workers
		d.turns.announce(ctx, true)
	})
	all.Wait()
	return outcomes
}

func newRun(j Job, d *dispatcher) *run {
	return &run{job: j, dispatcher: d, by: d.opts.By + rand.Text(), placed: make(chan struct{}), excluded: map[string]bool{}}
}

func (r *run) outcome(ctx context.Context) Outcome {
	<-r.before
	began := time.Now()
	traced, end := span.Begin(ctx, span.Internal, "job", span.Purpose, r.job.Purpose, span.Task, r.job.Task)
	err := r.toEnd(traced)
	end(err)
	r.releaseNext()
	if err == nil {
		err = r.carryOut(ctx)
	}
	r.notify(Over, err)
	o := Outcome{
		Job: r.job, Worker: r.worker, Node: r.node, Attempts: r.attempt, Refusals: r.refusals,
		Took: time.Since(began), Report: r.report, Err: err,
	}
	r.dispatcher.mu.Lock()
	defer r.dispatcher.mu.Unlock()
	r.dispatcher.opts.OnOutcome(o)
	return o
}

// within makes a call with the timeout callTime.
func (d *dispatcher) within(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return call(ctx)
}

// turn waits until it is the caller's turn to ask for a worker. endTurn ends it.
func (d *dispatcher) turn(ctx context.Context) error {
	select {
	case d.token <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *dispatcher) endTurn() { <-d.token }

// vacancy waits until another try may find a worker. It returns false if ctx
// ended.
func (d *dispatcher) vacancy(ctx context.Context) bool {
	select {
	case <-d.vacant:
	case <-time.After(retryTime):
	case <-ctx.Done():
		return false
	}
	return true
}

func (d *dispatcher) pause(ctx context.Context) bool { return d.pauseSince(ctx, time.Now()) }

// pauseSince waits until the next poll is due after the one at asked. It returns
// false if ctx ended.
func (d *dispatcher) pauseSince(ctx context.Context, asked time.Time) bool {
	return pause.For(ctx, time.Until(asked.Add(d.opts.Poll)))
}

// notify calls OnUpdate, one call at a time.
func (d *dispatcher) notify(u Update) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opts.OnUpdate(u)
}

// busy reports whether jobs run, so that a worker will become free.
func (d *dispatcher) busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running > 0
}

// began counts a job as running. freed undoes it when the job has ended.
func (d *dispatcher) began() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running++
}

func (d *dispatcher) freed() {
	d.mu.Lock()
	d.running--
	d.mu.Unlock()
	d.vacant.Raise()
}

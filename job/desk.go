package job

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/muster-fleet/muster/client"
)

// callTime is how long one call may take.
const callTime = 2 * time.Second

// retryTime is how long a job that found no place waits, unless another ends
// before that.
const retryTime = 500 * time.Millisecond

// desk is what the jobs of one call share.
type desk struct {
	client *client.Client
	opts   Options

	// token is with the job whose turn it is to ask for a place.
	token chan struct{}
	// vacant: a job has ended, or was given up.
	vacant chan struct{}

	mu      sync.Mutex // of what follows, and of OnUpdate
	running int
	// resting are workers that refused what another took, until when.
	resting map[string]time.Time

	fleet fleet
}

func newDesk(c *client.Client, opts Options) *desk {
	return &desk{
		client: c, opts: opts.withDefaults(), token: make(chan struct{}, 1), vacant: make(chan struct{}, 1), resting: map[string]time.Time{},
	}
}

// Each runs jobs, as many at a time as the fleet takes, the first ones first,
// and returns how each of them ended, in their order. Where ctx is over those
// that run are stopped.
func Each(ctx context.Context, c *client.Client, jobs []Job, opts Options) []Outcome {
	d := newDesk(c, opts)
	outcomes := make([]Outcome, len(jobs))
	before := make(chan struct{})
	close(before)
	var all sync.WaitGroup
	for i, j := range jobs {
		r := newRun(j, d)
		r.before = before
		before = r.placed
		all.Go(func() { outcomes[i] = r.outcome(ctx) })
	}
	all.Wait()
	return outcomes
}

func newRun(j Job, d *desk) *run {
	return &run{job: j, desk: d, by: rand.Text(), placed: make(chan struct{}), shunned: map[string]bool{}}
}

func (r *run) outcome(ctx context.Context) Outcome {
	<-r.before
	began := time.Now()
	err := r.toEnd(ctx)
	r.passOn()
	r.tell(Over, err)
	o := Outcome{
		Job: r.job, Worker: r.worker, Node: r.node, Attempts: r.attempt, Refusals: r.refusals,
		Took: time.Since(began), Report: r.report, Err: err,
	}
	r.desk.mu.Lock()
	defer r.desk.mu.Unlock()
	r.desk.opts.OnOutcome(o)
	return o
}

// within bounds a call.
func (d *desk) within(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return call(ctx)
}

// turn waits until it is the caller's turn to ask for a place; pass ends it.
func (d *desk) turn(ctx context.Context) error {
	select {
	case d.token <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *desk) pass() { <-d.token }

// vacancy waits until another try may find a place; false is that ctx is over.
func (d *desk) vacancy(ctx context.Context) bool {
	select {
	case <-d.vacant:
	case <-time.After(retryTime):
	case <-ctx.Done():
		return false
	}
	return true
}

func (d *desk) pause(ctx context.Context) bool { return d.pauseSince(ctx, time.Now()) }

// pauseSince waits until the next question is due after one that was asked at
// some time; false is that ctx is over.
func (d *desk) pauseSince(ctx context.Context, asked time.Time) bool {
	select {
	case <-time.After(time.Until(asked.Add(d.opts.Poll))):
		return true
	case <-ctx.Done():
		return false
	}
}

// tell passes an update on, one at a time.
func (d *desk) tell(u Update) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opts.OnUpdate(u)
}

// busy tells that other jobs run, so that a place will come free.
func (d *desk) busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running > 0
}

// began counts a job that runs; freed, one that does not any more.
func (d *desk) began() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running++
}

func (d *desk) freed() {
	d.mu.Lock()
	d.running--
	d.mu.Unlock()
	select {
	case d.vacant <- struct{}{}:
	default:
	}
}

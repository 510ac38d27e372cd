package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Load makes calls. Its fields must not change once it has begun.
type Load struct {
	// Schedule asks for a worker for a task. It makes one call, or tries as
	// often as the client that it is does; it ends by itself.
	Schedule func(task string) (worker string, err error)
	// Look asks on which worker a task is. Nil means no look-ups.
	Look func(task string) (worker string, err error)
	// Rate is how many calls there are in a second. Of ten, two ask again for
	// a task that was asked for before, and with Look one more looks it up.
	Rate int
	// Seed is that of which.
	Seed uint64

	epoch   time.Time
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	calls    []Call
	answered int
	changed  chan struct{}
}

// recent is how many tasks back those are that are asked for again.
const recent = 1000

// Begin starts to make calls, until End.
func (l *Load) Begin() {
	l.epoch, l.changed = time.Now(), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.running.Go(func() { l.issue(ctx) })
}

// End makes no further call, waits for those under way, and returns all.
func (l *Load) End() []Call {
	l.cancel()
	l.running.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// Now is the time on the clock of the calls.
func (l *Load) Now() time.Duration { return time.Since(l.epoch) }

// issue makes the calls that are due. Where the machine was too busy for some,
// they come late, so that the rate is kept.
func (l *Load) issue(ctx context.Context) {
	rng := rand.New(rand.NewPCG(l.Seed, 0))
	every := time.Second / time.Duration(l.Rate)
	next := time.NewTicker(max(every, time.Millisecond))
	defer next.Stop()
	for made, fresh := 0, 0; ; {
		for due := int(l.Now() / every); made < due; made++ {
			call := Call{Task: name(fresh)}
			if kind := rng.IntN(10); fresh > 0 && kind < 3 {
				call.Task, call.Look = name(fresh-1-rng.IntN(min(fresh, recent))), kind == 2 && l.Look != nil
			} else {
				fresh++
			}
			l.running.Go(func() { l.make(call) })
		}
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
	}
}

func name(n int) string { return fmt.Sprintf("task-%d", n) }

func (l *Load) make(c Call) {
	ask := l.Schedule
	if c.Look {
		ask = l.Look
	}
	c.Start = l.Now()
	c.Worker, c.Err = ask(c.Task)
	c.End = l.Now()
	l.add(c.looked())
}

func (l *Load) add(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
	if c.Answered() {
		l.answered++
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

// Await waits until n more calls are answered.
func (l *Load) Await(ctx context.Context, n int) error {
	until := -1
	for {
		l.mu.Lock()
		answered, changed := l.answered, l.changed
		l.mu.Unlock()
		if until < 0 {
			until = answered + n
		}
		if answered >= until {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d more answers: %w", until-answered, ctx.Err())
		}
	}
}

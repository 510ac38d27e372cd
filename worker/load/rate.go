package load

import (
	"context"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/pause"
)

// firstWindow is how long the first measurement of something that only counts
// up takes: two readings are needed, and later calls have the one before.
const firstWindow = 200 * time.Millisecond

// shortestWindow is the least time between two readings that says anything:
// the kernel counts processor time in steps of 10 ms.
const shortestWindow = 50 * time.Millisecond

// growth turns counters into a load: how much they grew since the last call.
type growth[T any] struct {
	read func(context.Context) (T, error)
	load func(before, after T, passed time.Duration) (float64, error)
	now  func() time.Time

	mu      sync.Mutex
	at      time.Time // of the last reading, zero before the first
	last    T
	loadWas float64
}

// Load reads the counters and compares. The first call waits firstWindow
// between two readings; a call too soon after another returns the same load.
func (g *growth[T]) Load(ctx context.Context) (float64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.at.IsZero() {
		if err := g.start(ctx); err != nil {
			return 0, err
		}
	}
	if g.now().Sub(g.at) < shortestWindow {
		return g.loadWas, nil
	}
	return g.compare(ctx)
}

func (g *growth[T]) compare(ctx context.Context) (float64, error) {
	value, err := g.read(ctx)
	if err != nil {
		return 0, err
	}
	now := g.now()
	load, err := g.load(g.last, value, now.Sub(g.at))
	if err != nil {
		return 0, err
	}
	g.at, g.last = now, value
	g.loadWas, err = clamp(load)
	return g.loadWas, err
}

func (g *growth[T]) start(ctx context.Context) error {
	value, err := g.read(ctx)
	if err != nil {
		return err
	}
	now := g.now()
	if !pause.For(ctx, firstWindow) {
		return context.Cause(ctx)
	}
	g.at, g.last = now, value
	return nil
}

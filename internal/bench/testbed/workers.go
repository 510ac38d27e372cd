package testbed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/pause"
)

const (
	// aliveEvery is how often OWT's workers send a keep-alive.
	aliveEvery = 800 * time.Millisecond
	// groupSize is how many workers one goroutine sends keep-alives for, one call at
	// a time.
	groupSize = 50
	// joinTime bounds the joining of a whole fleet.
	joinTime = 30 * time.Second
)

// Signs is how the workers of a fleet say that they are alive, once in each
// aliveEvery.
type Signs string

const (
	// SignsOWT is OWT's way: a keepAlive that is answered, and a reportLoad whose
	// load is another one than before.
	SignsOWT Signs = "owt"
	// SignsIdle is OWT's way where the load stays the same.
	SignsIdle Signs = "owt-idle"
	// SignsSDK is the way of Muster's SDK: a keepAlive with the load, which stays
	// the same.
	SignsSDK Signs = "sdk-idle"
)

// AllSigns are the ways.
var AllSigns = []Signs{SignsOWT, SignsIdle, SignsSDK}

// Workers are the workers of a fleet that joined, whose signs of life are spread
// evenly over aliveEvery.
type Workers struct {
	conn    bus.Conn
	cluster string
	signs   Signs
	cancel  context.CancelFunc
	running sync.WaitGroup
	given   atomic.Int64
}

// Given is how many intervals of workers have been sent so far.
func (k *Workers) Given() int64 { return k.given.Load() }

// Join returns when every worker has joined and reported.
func Join(ctx context.Context, conn bus.Conn, cluster string, f *Fleet, signs Signs) (*Workers, error) {
	k := &Workers{conn: conn, cluster: cluster, signs: signs}
	if err := k.joinAll(ctx, f); err != nil {
		return nil, err
	}
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k.cancel = cancel
	for first := 0; first < len(f.Workers); first += groupSize {
		own := f.Workers[first:min(first+groupSize, len(f.Workers))]
		k.running.Go(func() { k.keep(alive, own) })
	}
	return k, nil
}

func (k *Workers) Close() {
	k.cancel()
	k.running.Wait()
}

// join tries again while the leader of several managers does not accept requests
// yet.
func (k *Workers) join(ctx context.Context, w Worker) error {
	for {
		_, err := k.conn.Call(ctx, k.cluster, "join", Purpose, w.ID, w.info)
		if !errors.Is(err, bus.ErrNoServer) || !pause.For(ctx, 10*time.Millisecond) {
			return err
		}
	}
}

func (k *Workers) joinAll(ctx context.Context, f *Fleet) error {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	for _, w := range f.Workers {
		if err := k.join(ctx, w); err != nil {
			return fmt.Errorf("join worker %s: %w", w.ID, err)
		}
		if err := k.conn.Cast(ctx, k.cluster, "reportLoad", w.ID, w.Load); err != nil {
			return fmt.Errorf("report the load of worker %s: %w", w.ID, err)
		}
	}
	return nil
}

// keep sends keep-alives for its workers until ctx ends. With SignsOWT each load
// varies by 0.01 around its initial value, so that every report differs from the
// last.
func (k *Workers) keep(ctx context.Context, own []Worker) {
	next := time.NewTicker(aliveEvery / time.Duration(len(own)))
	defer next.Stop()
	for n := 0; ; n++ {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		w := own[n%len(own)]
		swing := 0.0
		if k.signs == SignsOWT {
			swing = 0.01 * float64(n/len(own)%2)
		}
		k.sign(ctx, w, w.Load+swing)
	}
}

// sign sends one keep-alive. A failed one is not repeated, because the next comes
// long before the manager evicts the worker.
func (k *Workers) sign(ctx context.Context, w Worker, load float64) {
	until := time.Now().Add(bus.DefaultTimeout * time.Millisecond)
	k.given.Add(1)
	if k.signs == SignsSDK {
		_, _ = bus.CallUntil(ctx, k.conn, until, k.cluster, "keepAlive", w.ID, load)
		return
	}
	_, _ = bus.CallUntil(ctx, k.conn, until, k.cluster, "keepAlive", w.ID)
	_ = k.conn.Cast(ctx, k.cluster, "reportLoad", w.ID, load)
}

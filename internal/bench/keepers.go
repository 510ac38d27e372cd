package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muster-fleet/muster/bus"
)

const (
	// aliveEvery is how often OWT's workers give a sign of life.
	aliveEvery = 800 * time.Millisecond
	// keeperSize is how many workers one keeper lives for, a call at a time.
	keeperSize = 50
	// joinTime bounds the joining of a whole fleet.
	joinTime = 30 * time.Second
)

// keepers live for the workers of a fleet: join, then keepAlive and reportLoad
// for each of them, evenly over aliveEvery.
type keepers struct {
	conn    bus.Conn
	cluster string
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// startKeepers returns when every worker has joined and reported.
func startKeepers(ctx context.Context, conn bus.Conn, cluster string, f *fleet) (*keepers, error) {
	k := &keepers{conn: conn, cluster: cluster}
	if err := k.joinAll(ctx, f); err != nil {
		return nil, err
	}
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k.cancel = cancel
	for first := 0; first < len(f.workers); first += keeperSize {
		own := f.workers[first:min(first+keeperSize, len(f.workers))]
		k.running.Go(func() { k.keep(alive, own) })
	}
	return k, nil
}

func (k *keepers) close() {
	k.cancel()
	k.running.Wait()
}

// join asks again while the leader, of several managers, does not take requests
// yet.
func (k *keepers) join(ctx context.Context, w fleetWorker) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := k.conn.Call(ctx, k.cluster, "join", purpose, w.id, w.info)
		if !errors.Is(err, bus.ErrNoServer) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

func (k *keepers) joinAll(ctx context.Context, f *fleet) error {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	for _, w := range f.workers {
		if err := k.join(ctx, w); err != nil {
			return fmt.Errorf("join worker %s: %w", w.id, err)
		}
		if err := k.conn.Cast(ctx, k.cluster, "reportLoad", w.id, w.load); err != nil {
			return fmt.Errorf("report the load of worker %s: %w", w.id, err)
		}
	}
	return nil
}

// keep gives signs of life for its workers until ctx is over. A load swings by
// 0.01 about what it was on joining, so that each report is a new one.
func (k *keepers) keep(ctx context.Context, own []fleetWorker) {
	next := time.NewTicker(aliveEvery / time.Duration(len(own)))
	defer next.Stop()
	for n := 0; ; n++ {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		w := own[n%len(own)]
		swing := 0.01 * float64(n/len(own)%2)
		k.sign(ctx, w, w.load+swing)
	}
}

// sign is one sign of life. One that fails is not repeated: the next comes
// long before the manager gives the worker up.
func (k *keepers) sign(ctx context.Context, w fleetWorker, load float64) {
	ctx, cancel := context.WithTimeout(ctx, bus.DefaultTimeout*time.Millisecond)
	defer cancel()
	_, _ = k.conn.Call(ctx, k.cluster, "keepAlive", w.id)
	_ = k.conn.Cast(ctx, k.cluster, "reportLoad", w.id, load)
}

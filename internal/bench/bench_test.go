package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// BenchmarkDecide is Place without its own measuring, for benchstat: one
// schedule and, once the fleet holds its 20 tasks a worker, one unschedule.
func BenchmarkDecide(b *testing.B) {
	for _, strategy := range muster.Strategies {
		for _, workers := range []int{100, 10_000} {
			b.Run(fmt.Sprintf("%s/workers=%d", strategy, workers), func(b *testing.B) {
				r := benchmarkRun(b, strategy, workers)
				b.ReportAllocs()
				b.ResetTimer()
				for r.done < b.N {
					r.prepare(min(r.batch, b.N-r.done))
					for i := range r.commands {
						r.apply(i)
					}
					r.account()
					r.release()
				}
				if r.failed > 0 {
					b.Errorf("%d of %d failed: %s", r.failed, r.done, r.reason)
				}
			})
		}
	}
}

func benchmarkRun(b *testing.B, strategy muster.Strategy, workers int) *placeRun {
	o := DefaultPlaceOptions()
	o.Workers, o.Strategy = workers, strategy
	o = o.withDefaults()
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	f := testbed.NewFleet(o.Workers, o.ISPs, o.Regions, o.Load, o.Spread, rng)
	s, err := populate(f, o)
	if err != nil {
		b.Fatal(err)
	}
	return newPlaceRun(s, f, o, rng)
}

package testbed

import (
	"math/rand/v2"
	"testing"
)

func TestFleetIsSpreadEvenly(t *testing.T) {
	f := NewFleet(100, 4, 8, 0.1, 0.2, rand.New(rand.NewPCG(1, 0)))
	if len(f.Workers) != 100 || len(f.Pools) != 32 || len(f.Index) != 100 {
		t.Fatalf("%d workers, %d ids, %d pools; want 100, 100, 32", len(f.Workers), len(f.Index), len(f.Pools))
	}
	for _, p := range f.Pools {
		if p.size != 3 && p.size != 4 {
			t.Errorf("a pool has %d workers, want 3 or 4", p.size)
		}
	}
	for _, w := range f.Workers {
		info, err := w.Info()
		if err != nil || len(info.Capacity.ISPs) != 1 || len(info.Capacity.Regions) != 1 || info.MaxLoad != maxLoad {
			t.Fatalf("info %+v, %v", info, err)
		}
		if w.Load < 0.1 || w.Load > 0.3 {
			t.Errorf("load %g is out of 0.1 to 0.3", w.Load)
		}
	}
}

func TestSmallFleetHasNoEmptyPool(t *testing.T) {
	f := NewFleet(3, 4, 8, 0, 0, rand.New(rand.NewPCG(1, 0)))
	if len(f.Pools) != 3 {
		t.Errorf("%d pools for 3 workers", len(f.Pools))
	}
}

func TestMaxOverMeanComparesWithinAPool(t *testing.T) {
	f := NewFleet(4, 2, 1, 0, 0, rand.New(rand.NewPCG(1, 0)))
	// Workers 0 and 2 are one pool, 1 and 3 the other.
	values := []float64{10, 100, 30, 100}
	if got := f.MaxOverMean(func(i int) float64 { return values[i] }); got != 1.5 {
		t.Errorf("got %g, want 30 ÷ 20", got)
	}
	if got := f.MaxOverMean(func(int) float64 { return 0 }); got != 0 {
		t.Errorf("got %g of nothing, want 0", got)
	}
}

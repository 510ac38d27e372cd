package main

import (
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing"
)

func TestGCPercent(t *testing.T) {
	for alive, want := range map[uint64]int{0: 400, 1 << 20: 400, 70 << 20: 400, 88 << 20: 300, 176 << 20: 100, 320 << 20: 50, 1 << 40: 50} {
		if got := gcPercent(alive); got != want {
			t.Errorf("%d MiB alive: %d, want %d", alive>>20, got, want)
		}
	}
}

func TestGCIsAdjustedBySteps(t *testing.T) {
	var set []int
	c := &collector{mostGC, func(percent int) { set = append(set, percent) }}
	for _, mib := range []uint64{1, 88, 89, 90, 176, 170, 20, 10} {
		c.adjust(mib << 20)
	}
	if want := []int{300, 100, 400}; !slices.Equal(set, want) {
		t.Errorf("set to %v, want %v", set, want)
	}
}

// The collector is adjusted after each collection, not only after the first.
func TestGCFollowsWhatIsAlive(t *testing.T) {
	var last atomic.Int64
	watchGC(&collector{1, func(percent int) { last.Store(int64(percent)) }})
	until := func(want int64) {
		for last.Load() != want {
			runtime.GC() // its finalizer runs at some time after one of these
		}
	}
	until(mostGC)
	ballast := make([]byte, 350<<20)
	until(leastGC)
	runtime.KeepAlive(ballast)
}

func TestFixedGCFollowsNothing(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	defer fixed.Store(false)
	fixGC(50)
	watchGC(&collector{1, func(percent int) { t.Errorf("set to %d", percent) }})
	for range 3 {
		ran := make(chan struct{})
		runtime.SetFinalizer(new([16]byte), func(*[16]byte) { close(ran) })
		runtime.GC()
		<-ran // finalizers run one after another
	}
	if got := debug.SetGCPercent(50); got != 50 {
		t.Errorf("it is %d", got)
	}
}

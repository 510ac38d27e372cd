package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// The garbage collector runs when the heap has grown by so many per cent of what
// was alive after the last time. A manager's state is mostly small next to the
// messages that pass through: Go's 100 would collect often and find little. A
// state of a million tasks is not, and four times as much again would be garbage:
// so the heap grows to usualHeap at most, or by leastGC per cent.
//
// GOGC in the environment takes the place of all this; GOMEMLIMIT bounds it.
const (
	mostGC    = 400
	leastGC   = 50
	usualHeap = 352 << 20
)

// gcPercent is the percentage for so many bytes alive.
func gcPercent(alive uint64) int {
	if alive < usualHeap*100/(100+mostGC) {
		return mostGC
	}
	return max((usualHeap-int(min(alive, usualHeap)))*100/int(alive), leastGC)
}

// collector sets the percentage after each collection.
type collector struct {
	percent int
	set     func(percent int)
}

// tuneGC has the garbage collector follow what is alive.
func tuneGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(mostGC)
	watchGC(&collector{mostGC, func(percent int) { debug.SetGCPercent(percent) }})
}

// fixGC has the collector run after so many per cent from now on, whatever is
// alive: for a process that is not a manager.
func fixGC(percent int) {
	if os.Getenv("GOGC") != "" {
		return
	}
	fixed.Store(true)
	debug.SetGCPercent(percent)
}

// fixed: the percentage follows nothing.
var fixed atomic.Bool

// watchGC has c adjusted after each collection: it is garbage at each, and its
// finalizer takes it up again.
func watchGC(c *collector) {
	runtime.SetFinalizer(c, func(c *collector) {
		if fixed.Load() {
			return
		}
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		if sample[0].Value.Kind() == metrics.KindUint64 {
			c.adjust(sample[0].Value.Uint64())
		}
		watchGC(c)
	})
}

// adjust sets the percentage for what is alive. Setting it stops the world for a
// moment, so that small changes are left alone.
func (c *collector) adjust(alive uint64) {
	percent := gcPercent(alive)
	if 10*abs(percent-c.percent) <= c.percent && percent != mostGC {
		return
	}
	if percent != c.percent {
		c.percent = percent
		c.set(percent)
	}
}

func abs(n int) int { return max(n, -n) }

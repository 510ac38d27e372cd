package simtest

import (
	"flag"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seeds = flag.Uint64("seeds", 120, "how many seeds are simulated")
	first = flag.Uint64("first", 0, "the first of them")
	seed  = flag.Int64("seed", -1, "simulate this seed alone, and print its history")
)

// failures is how many seeds may fail before the rest is not tried.
const failures = 5

func TestSimulation(t *testing.T) {
	if *seed >= 0 {
		replay(t, uint64(*seed))
		return
	}
	// A simulation is small and makes much garbage.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	began := time.Now()
	sum, failed := simulate(*first, *seeds)
	t.Logf("%d seeds in %v: %d faults, %d calls (%d unanswered while there were faults), %d placements, %d answers checked (%d came again), %d claims refused, %d tasks dropped, %d stale reads, %v of virtual time",
		*seeds, time.Since(began).Round(time.Second), sum.Faults, sum.Calls, sum.Unanswered, sum.Placed, sum.Checked, sum.Again, sum.Refused, sum.Dropped, sum.Stale, sum.Virtual.Round(time.Second))
	for i, n := range failed {
		if i == 0 {
			replay(t, n)
		} else {
			t.Errorf("seed %d failed, too", n)
		}
	}
	if len(failed) == 0 && (sum.Placed == 0 || sum.Refused == 0 || sum.Dropped == 0 || sum.Stale == 0 || sum.Unanswered > sum.Calls/50) {
		t.Error("too little was answered for the checks to mean anything")
	}
}

// simulate runs seeds, each in one goroutine, on all processors. It returns
// those that failed, the first of them first.
func simulate(first, count uint64) (sum Report, failed []uint64) {
	var next atomic.Uint64
	var mu sync.Mutex
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for n := next.Add(1) - 1; n < count; n = next.Add(1) - 1 {
				report, err := Run(first+n, false)
				mu.Lock()
				sum = sum.plus(report)
				if err != nil {
					failed = append(failed, first+n)
				}
				enough := len(failed) >= failures
				mu.Unlock()
				if enough {
					return
				}
			}
		})
	}
	all.Wait()
	slices.Sort(failed)
	return sum, failed
}

func (r Report) plus(o Report) Report {
	r.Faults += o.Faults
	r.Calls += o.Calls
	r.Unanswered += o.Unanswered
	r.Placed += o.Placed
	r.Checked += o.Checked
	r.Again += o.Again
	r.Refused += o.Refused
	r.Dropped += o.Dropped
	r.Stale += o.Stale
	r.Virtual += o.Virtual
	return r
}

// replay prints the history of a seed.
func replay(t *testing.T, n uint64) {
	t.Helper()
	report, err := Run(n, true)
	lines := strings.Split(report.History, "\n")
	if *seed < 0 && len(lines) > 200 {
		lines = append([]string{"..."}, lines[len(lines)-200:]...)
	}
	t.Logf("seed %d, times in virtual milliseconds:\n%s", n, strings.Join(lines, "\n"))
	if err != nil {
		t.Errorf("seed %d: %v\nall of it: go test ./internal/simtest -run TestSimulation -v -seed %d", n, err, n)
	}
}

func TestTheSameSeedGivesTheSameHistory(t *testing.T) {
	for n := range uint64(5) {
		one, _ := Run(n, true)
		other, _ := Run(n, true)
		if one.History != other.History {
			t.Errorf("seed %d: two histories\n%s", n, difference(one.History, other.History))
		}
		if next, _ := Run(n+1, true); next.History == one.History {
			t.Errorf("seeds %d and %d: the same history", n, n+1)
		}
	}
}

// TestRecordingChangesNothing, or a failing seed might not fail again.
func TestRecordingChangesNothing(t *testing.T) {
	for n := range uint64(5) {
		one, _ := Run(n, true)
		one.History = ""
		if other, _ := Run(n, false); one != other {
			t.Errorf("seed %d: %+v when recorded, else %+v", n, one, other)
		}
	}
}

func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return as[i] + "\n" + bs[i]
		}
	}
	return "one is longer"
}

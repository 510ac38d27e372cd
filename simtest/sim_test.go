package simtest

import (
	"flag"
	"testing"
)

var (
	seeds = flag.Uint64("seeds", 120, "how many seeds are simulated")
	first = flag.Uint64("first", 0, "the first of them")
	seed  = flag.Int64("seed", -1, "simulate this seed alone, and print its history")
)

func TestSimulation(t *testing.T) {
	if *seed >= 0 {
		report, err := Run(uint64(*seed), true)
		t.Logf("%s\n%+v", report.History, err)
		if err != nil {
			t.Errorf("seed %d: %v", *seed, err)
		}
		return
	}
	var sum Report
	for n := *first; n < *first+*seeds; n++ {
		report, err := Run(n, false)
		if err != nil {
			t.Errorf("seed %d: %v", n, err)
		}
		sum.Calls += report.Calls
		sum.Unanswered += report.Unanswered
		sum.Placed += report.Placed
		sum.Checked += report.Checked
		sum.Again += report.Again
		sum.Faults += report.Faults
		sum.Virtual += report.Virtual
	}
	t.Logf("%+v", sum)
}

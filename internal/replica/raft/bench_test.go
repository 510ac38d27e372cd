package raft

import (
	"fmt"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// BenchmarkCommit is three managers in one process: how many placements a
// second a majority has, with so many waiting for their answer at any time.
func BenchmarkCommit(b *testing.B) {
	for _, disk := range []bool{false, true} {
		for _, outstanding := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("disk=%v/outstanding=%d", disk, outstanding), func(b *testing.B) {
				f := newFleet(b, 3, func(o *Options) {
					if disk {
						o.Dir = b.TempDir()
					}
				})
				f.join("w1")
				f.voters(3)
				b.ResetTimer()
				f.load(b, outstanding)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

// load has the leader place and give up b.N tasks.
func (f *fleet) load(b *testing.B, outstanding int) {
	lead, finished := f.leader(), make(chan error, 1)
	left, under := b.N, 0
	var next func()
	done := func(_ state.Result, _ []muster.Event, err error) {
		under--
		switch {
		case err != nil:
			finished <- err
		case left > 0:
			next()
		case under == 0:
			finished <- nil
		}
	}
	next = func() {
		left--
		under++
		task := fmt.Sprint("t", left%10_000)
		var op state.Op = state.Schedule{Purpose: "webrtc", Task: task, ReserveMillis: 60_000}
		lead.Propose(replica.Proposal{Command: state.Command{At: 1, Seed: uint64(left), Op: op}, Done: done})
	}
	lead.do(func() {
		for range min(outstanding, b.N) {
			next()
		}
	})
	if err := <-finished; err != nil {
		b.Fatal(err)
	}
}

package raft

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// BenchmarkNewcomer is a manager that starts with nothing beside a leader with
// a million tasks on 10,000 workers: how long until it votes, and how long the
// leader's commits take meanwhile, compared with commits just before, as all
// share one machine: `make newcomer`.
func BenchmarkNewcomer(b *testing.B) {
	const workers, tasks, managers = 10_000, 1_000_000, 3
	f := newFleet(b, managers, nil)
	empty := heap()
	f.fill(workers, tasks)
	f.equal()
	memory := heap() - empty
	var before, during []time.Duration
	var votes []time.Duration
	for b.Loop() {
		before = append(before, f.latencies(2000, nil)...)
		m := f.followers()[0]
		f.kill(m)
		start := time.Now()
		ready := f.awaitVoters(f.start(m.opts.Addr, f.addrs), managers)
		during = append(during, f.latencies(0, ready)...)
		votes = append(votes, time.Since(start))
	}
	s, err := f.leader().Status(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(memory)/tasks/managers, "B/task")
	b.ReportMetric(float64(s.SnapshotBytes)/tasks, "snapshot-B/task")
	b.ReportMetric(slices.Max(votes).Seconds(), "s/vote-max")
	for _, q := range []int{50, 99} {
		usual, meanwhile := percentile(before, q), percentile(during, q)
		b.ReportMetric(usual, fmt.Sprintf("µs/p%d-before", q))
		b.ReportMetric(meanwhile, fmt.Sprintf("µs/p%d-joining", q))
		b.ReportMetric(meanwhile/usual, fmt.Sprintf("x/p%d", q))
	}
	b.ReportMetric(percentile(during, 100), "µs/max-joining")
}

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// percentile is in microseconds.
func percentile(times []time.Duration, q int) float64 {
	slices.Sort(times)
	return float64(times[(len(times)-1)*q/100].Nanoseconds()) / 1000
}

// awaitVoters returns a channel that is closed when a manager sees so many, all
// of which vote.
func (f *fleet) awaitVoters(m *manager, n int) <-chan struct{} {
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		_, err := m.Await(context.Background(), func(s Status) bool {
			return len(s.Members) == n && !slices.ContainsFunc(s.Members, func(m Member) bool { return !m.Voter })
		})
		if err != nil {
			f.t.Error(err)
		}
	}()
	return ready
}

// fill places tasks.
func (f *fleet) fill(workers, tasks int) {
	loads := state.ReportLoad{}
	var ops []state.Op
	for i := range workers {
		id := fmt.Sprintf("webrtc-%05d@10.0.%d.%d", i, i>>8, i&255)
		info := muster.Info{MaxLoad: 1, State: muster.StateReady, Raw: []byte(`{"ip":"10.0.0.1","hostname":"","port":3000,"state":2,"max_load":0.85}`)}
		ops = append(ops, state.Join{Purpose: "webrtc", Worker: id, Info: info})
		loads.Loads = append(loads.Loads, state.WorkerLoad{Worker: id, Load: 0.01})
	}
	ops = append(ops, loads)
	for i := range tasks {
		ops = append(ops, state.Schedule{Purpose: "webrtc", Task: fmt.Sprintf("5f0c2a8e-room-%08d", i), ReserveMillis: state.MaxReserveMillis})
	}
	for part := range slices.Chunk(ops, 2_000) {
		for err := f.commit(part); err != nil; err = f.commit(part) { // harmless to repeat
			f.t.Logf("while filling: %v", err)
		}
	}
}

// commit proposes all at once, and returns the first error when all are decided.
func (f *fleet) commit(ops []state.Op) error {
	lead, done := f.leader(), make(chan error, len(ops))
	var batch []replica.Proposal
	for i, op := range ops {
		batch = append(batch, replica.Proposal{
			Command: state.Command{At: 1, Seed: uint64(i), Op: op},
			Done:    func(_ state.Result, _ []muster.Event, err error) { done <- err },
		})
	}
	lead.do(func() { lead.Propose(batch...) })
	var first error
	for range ops {
		if err := <-done; first == nil {
			first = err
		}
	}
	return first
}

// latencies commits one after another, n times or until a channel is closed,
// and returns how long each took, sorted.
func (f *fleet) latencies(n int, until <-chan struct{}) []time.Duration {
	var out []time.Duration
	for {
		select {
		case <-until:
			until, n = nil, len(out)
		default:
		}
		if until == nil && len(out) >= n && len(out) > 0 {
			slices.Sort(out)
			return out
		}
		start := time.Now()
		op := state.Schedule{Purpose: "webrtc", Task: fmt.Sprint("probe", len(out)%100)}
		for _, err := f.leader().try(op); err != nil; _, err = f.leader().try(op) {
			f.t.Logf("asked again: %v", err) // its time counts
		}
		out = append(out, time.Since(start))
	}
}

package raft

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/replica"
	"github.com/muster-fleet/muster/state"
)

// BenchmarkNewcomer is a manager that starts with nothing beside a leader with
// a million tasks on 10,000 workers: how long until it votes, and how long the
// leader's commits take meanwhile, compared with before.
func BenchmarkNewcomer(b *testing.B) {
	const workers, tasks = 10_000, 1_000_000
	f := newFleet(b, 3, nil)
	f.fill(workers, tasks)
	f.equal()
	for b.Loop() {
		before := f.latencies(2000, nil)
		m := f.followers()[0]
		f.kill(m)
		ready := make(chan struct{})
		start := time.Now()
		m = f.start(m.opts.Addr, f.addrs)
		go func() {
			defer close(ready)
			_, err := m.Await(context.Background(), func(s Status) bool {
				return len(s.Members) == 3 && !slices.ContainsFunc(s.Members, func(m Member) bool { return !m.Voter })
			})
			if err != nil {
				b.Error(err)
			}
		}()
		during := f.latencies(0, ready)
		b.ReportMetric(time.Since(start).Seconds(), "s/newcomer")
		s, err := f.leader().Status(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(s.SnapshotBytes), "snapshot-bytes")
		b.ReportMetric(float64(before[len(before)*99/100].Microseconds()), "µs/commit-p99-before")
		b.ReportMetric(float64(during[len(during)*99/100].Microseconds()), "µs/commit-p99-during")
		b.ReportMetric(float64(during[len(during)-1].Microseconds()), "µs/commit-max-during")
	}
}

// fill places tasks.
func (f *fleet) fill(workers, tasks int) {
	lead, done := f.leader(), make(chan error, 1)
	left := 0
	one := func(_ state.Result, _ []muster.Event, err error) {
		if left--; left == 0 || err != nil {
			select {
			case done <- err:
			default:
			}
		}
	}
	loads := state.ReportLoad{}
	var batch []replica.Proposal
	add := func(op state.Op) {
		batch = append(batch, replica.Proposal{Command: state.Command{At: 1, Seed: uint64(len(batch)), Op: op}, Done: one})
	}
	for i := range workers {
		id := fmt.Sprintf("webrtc-%05d@10.0.%d.%d", i, i>>8, i&255)
		info := muster.Info{MaxLoad: 1, State: muster.StateReady, Raw: []byte(`{"ip":"10.0.0.1","hostname":"","port":3000,"state":2,"max_load":0.85}`)}
		add(state.Join{Purpose: "webrtc", Worker: id, Info: info})
		loads.Loads = append(loads.Loads, state.WorkerLoad{Worker: id, Load: 0.01})
	}
	add(loads)
	for i := range tasks {
		add(state.Schedule{Purpose: "webrtc", Task: fmt.Sprintf("5f0c2a8e-room-%08d", i), ReserveMillis: state.MaxReserveMillis})
	}
	for part := range slices.Chunk(batch, 10_000) {
		left = len(part)
		lead.do(func() { lead.Propose(part...) })
		if err := <-done; err != nil {
			f.t.Fatal(err)
		}
	}
}

// latencies commits one after another, n times or until a channel is closed,
// and returns how long each took, sorted.
func (f *fleet) latencies(n int, until <-chan struct{}) []time.Duration {
	lead := f.leader()
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
		if _, err := lead.try(state.Schedule{Purpose: "webrtc", Task: fmt.Sprint("probe", len(out)%100)}); err != nil {
			f.t.Fatal(err)
		}
		out = append(out, time.Since(start))
	}
}

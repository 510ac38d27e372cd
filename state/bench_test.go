package state

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/muster-fleet/muster"
)

const (
	fleetISPs    = 4
	fleetRegions = 8
)

// region is what worker, or task, i of a fleet of 4 providers and 8 regions has
// for them.
func region(i int) (isp, region string) {
	return fmt.Sprintf("isp%d", i%fleetISPs), fmt.Sprintf("region%d", i/fleetISPs%fleetRegions)
}

// places is a fleet of webrtc workers over all providers and regions.
func places(strategy muster.Strategy, n int) *State {
	cfg := DefaultConfig()
	cfg.Strategies = map[string]muster.Strategy{"webrtc": strategy}
	s := New(cfg)
	loads := make([]WorkerLoad, n)
	for i := range n {
		isp, region := region(i)
		id := fmt.Sprintf("webrtc-%020d@10.0.0.1", i)
		info := muster.Info{MaxLoad: 1, Raw: json.RawMessage(`{}`)}
		info.Capacity.ISPs, info.Capacity.Regions = []string{isp}, []string{region}
		s.Apply(Command{Op: Join{Purpose: "webrtc", Worker: id, Info: info}})
		loads[i] = WorkerLoad{id, float64(i%7) / 100}
	}
	s.Apply(Command{Op: ReportLoad{loads}})
	return s
}

// BenchmarkSchedule decides, reserves, explains, and keeps the load level: one
// operation is one placement, and every placement is given up some 10,000
// placements later, outside the clock of nothing.
func BenchmarkSchedule(b *testing.B) {
	for _, strategy := range muster.Strategies {
		for _, n := range []int{100, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", strategy, n), func(b *testing.B) { benchSchedule(b, strategy, n) })
		}
	}
}

func benchSchedule(b *testing.B, strategy muster.Strategy, n int) {
	const batch = 1000
	s := places(strategy, n)
	ops := make([]Op, batch)
	for i := range ops {
		isp, region := region(i * 7)
		pref := json.RawMessage(fmt.Sprintf(`{"isp":%q,"region":%q}`, isp, region))
		ops[i] = Schedule{Purpose: "webrtc", Task: fmt.Sprintf("room-%d", i), Preference: pref}
	}
	workers := make([]string, batch)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		j := i % batch
		if j == 0 && i > 0 {
			b.StopTimer()
			for k, op := range ops {
				s.Apply(Command{Op: Unschedule{workers[k], op.(Schedule).Task}})
			}
			b.StartTimer()
		}
		r, _ := s.Apply(Command{Seed: uint64(i), Op: ops[j]})
		if r.Err != nil {
			b.Fatal(r.Err)
		}
		workers[j] = r.Worker
	}
}

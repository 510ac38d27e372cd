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
	return placesOf(cfg, n)
}

func placesOf(cfg Config, n int) *State {
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

// BenchmarkSchedule is placements per operation: the choice, the reservation, the
// debit, the explanation and the event. After each thousand the tasks are given
// up again, off the clock; views and the ring of explanations are warm.
func BenchmarkSchedule(b *testing.B) {
	for _, strategy := range muster.Strategies {
		for _, n := range []int{100, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", strategy, n), func(b *testing.B) { benchSchedule(b, places(strategy, n)) })
		}
	}
}

func benchSchedule(b *testing.B, s *State) {
	ops := make([]Op, 1000)
	for i := range ops {
		isp, region := region(i * 7)
		pref := json.RawMessage(fmt.Sprintf(`{"isp":%q,"region":%q}`, isp, region))
		ops[i] = Schedule{Purpose: "webrtc", Task: fmt.Sprintf("room-%d", i), Preference: pref}
	}
	held := make([]string, len(ops))
	for range maxDecisions/len(ops) + 1 {
		placeAll(b, s, ops, held)
		giveUp(s, ops, held)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= len(ops) {
		n := min(left, len(ops))
		placeAll(b, s, ops[:n], held)
		b.StopTimer()
		giveUp(s, ops[:n], held)
		b.StartTimer()
	}
}

func placeAll(b *testing.B, s *State, ops []Op, held []string) {
	for i, op := range ops {
		result, _ := s.Apply(Command{Seed: uint64(s.last.made), Op: op})
		if result.Err != nil {
			b.Fatal(result.Err)
		}
		held[i] = result.Worker
	}
}

func giveUp(s *State, ops []Op, held []string) {
	for i, op := range ops {
		s.Apply(Command{Op: Unschedule{held[i], op.(Schedule).Task, 0}})
	}
}

// BenchmarkSnapshot writes and reads a hundred tasks on each of 1,000 workers;
// ns/op over 100,000 is the price of a task.
func BenchmarkSnapshot(b *testing.B) {
	s := loaded(100_000)
	b.ResetTimer()
	for range b.N {
		if _, err := Restore(s.Snapshot()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s.Snapshot()))/100_000, "B/task")
}

// BenchmarkExpire is reservations of a second that are over, with 80,000 of
// them held: what a manager under load does all the time. ns/op is for one.
func BenchmarkExpire(b *testing.B) {
	const (
		held  = 80_000
		every = 20 // milliseconds between two looks, as a manager's
		batch = held / 1000 * every
	)
	cfg := DefaultConfig()
	cfg.Debit = Debit{Mode: DebitFixed, Fixed: 1e-6}
	s := placesOf(cfg, 100)
	task, at := 0, muster.Instant(0)
	turn := func() {
		for i := range batch {
			op := Schedule{Purpose: "webrtc", Task: fmt.Sprint("room-", task), Preference: json.RawMessage(`{"isp":"isp1","region":"region1"}`), ReserveMillis: 1000}
			if result, _ := s.Apply(Command{At: at + muster.Instant(i*every/batch), Seed: uint64(task), Op: op}); result.Err != nil {
				b.Fatal(result.Err)
			}
			task++
		}
		at += every
	}
	for range 2 * held / batch {
		turn()
		s.Apply(Command{At: at, Op: Expire{}})
	}
	b.ResetTimer()
	for left := b.N; left > 0; left -= batch {
		b.StopTimer()
		turn()
		b.StartTimer()
		s.Apply(Command{At: at, Op: Expire{}})
	}
}

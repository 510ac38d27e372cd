package state

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/muster-fleet/muster"
)

// fleet is a state with n workers of a purpose that are ready and idle.
func fleet(cfg Config, purpose string, n int) *State {
	s := New(cfg)
	for i := range n {
		id := fmt.Sprintf("w%d", i)
		s.Apply(Command{Op: Join{Purpose: purpose, Worker: id, Info: muster.Info{MaxLoad: 1}}})
		s.Apply(Command{Op: ReportLoad{Loads: []WorkerLoad{{id, 0}}}})
	}
	return s
}

func TestEveryStrategyPlacesAndRestores(t *testing.T) {
	for _, strategy := range muster.Strategies {
		cfg := DefaultConfig()
		cfg.Strategies, cfg.General = nil, strategy
		s := fleet(cfg, "sip", 10)
		for i := range 50 {
			r, _ := s.Apply(Command{Seed: uint64(i), Op: Schedule{Purpose: "sip", Task: fmt.Sprint(i)}})
			if r.Err != nil {
				t.Fatal(strategy, r.Err)
			}
		}
		snap := s.Snapshot()
		again, err := Restore(snap)
		if err != nil {
			t.Fatal(strategy, err)
		}
		if !bytes.Equal(again.Snapshot(), snap) {
			t.Fatal(strategy, "restored differs")
		}
	}
}

package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/muster-fleet/muster"
)

// TestStrategies places tasks one after another on three workers that report
// 0.2, 0.1 and 0.4.
func TestStrategies(t *testing.T) {
	for _, tc := range []struct {
		strategy muster.Strategy
		want     []string
	}{
		{muster.LeastUsed, []string{"b", "b", "b"}},
		{muster.MostUsed, []string{"c", "c", "c"}},
		{muster.LastUsed, []string{"a", "a", "a"}},
		{muster.RoundRobin, []string{"a", "b", "c", "a"}},
		// Weights 80, 90, 60: 80 90 60 → b; 160 -50 120 → a; 10 40 180 → c;
		// 90 130 10 → b; 170 -10 70 → a.
		{muster.WeightRobin, []string{"b", "a", "c", "b", "a"}},
	} {
		t.Run(string(tc.strategy), func(t *testing.T) {
			c := newCluster(t, plain(tc.strategy))
			for _, id := range []string{"a", "b", "c"} {
				c.worker("sip", id, `{}`)
			}
			c.do(ReportLoad{[]WorkerLoad{{"a", 0.2}, {"b", 0.1}, {"c", 0.4}}})
			var got []string
			for i := range tc.want {
				got = append(got, c.place("sip", fmt.Sprint(i), ""))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestTiesAreBrokenByJoinOrder(t *testing.T) {
	for strategy, want := range map[muster.Strategy]string{
		muster.LeastUsed: "w0", muster.MostUsed: "w3", muster.LastUsed: "w0", muster.RoundRobin: "w0", muster.WeightRobin: "w0",
	} {
		c := newCluster(t, plain(strategy))
		c.equalWorkers("sip", 4)
		if got := c.place("sip", "t", ""); got != want {
			t.Errorf("%s took %s of equals, want %s", strategy, got, want)
		}
	}
}

func TestLastUsedStaysUntilItsWorkerIsFull(t *testing.T) {
	c := newCluster(t, plain(muster.LastUsed))
	c.equalWorkers("sip", 3)
	c.load("w0", 1)
	got := []string{c.place("sip", "1", "")}
	c.load("w0", 0)
	got = append(got, c.place("sip", "2", ""))
	c.load("w1", 1)
	got = append(got, c.place("sip", "3", ""))
	if want := []string{"w1", "w1", "w0"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRoundRobinGoesOnWhereItsWorkerLeft(t *testing.T) {
	c := newCluster(t, plain(muster.RoundRobin))
	c.equalWorkers("sip", 4)
	c.place("sip", "1", "")
	c.place("sip", "2", "")
	c.do(Quit{"w1"})
	if got := c.place("sip", "3", ""); got != "w2" {
		t.Errorf("took %s, want the one after the one that left", got)
	}
}

func TestRandomlyPickTakesEveryone(t *testing.T) {
	c := newCluster(t, plain(muster.RandomlyPick))
	c.equalWorkers("sip", 10)
	taken := map[string]int{}
	for i := range 10_000 {
		result, _ := c.Apply(Command{Seed: uint64(i), Op: Schedule{Purpose: "sip", Task: fmt.Sprint(i)}})
		taken[result.Worker]++
	}
	for id, n := range taken {
		if n < 850 || n > 1150 { // five standard deviations
			t.Errorf("%s was taken %d times of 10,000", id, n)
		}
	}
	if len(taken) != 10 {
		t.Errorf("took %d of 10 workers", len(taken))
	}
}

// TestBurst is the incident that every peer had: many tasks before any report.
func TestBurst(t *testing.T) {
	for _, strategy := range []muster.Strategy{muster.LeastUsed, muster.RoundRobin, muster.WeightRobin, muster.TwoChoices} {
		for first := range 20 {
			cfg := DefaultConfig()
			cfg.Strategies, cfg.General = nil, strategy
			c := newCluster(t, cfg)
			c.equalWorkers("sip", 100)
			most := 0
			taken := map[string]int{}
			for i := range 2000 {
				result, _ := c.Apply(Command{Seed: uint64(first*1_000_003 + i), Op: Schedule{Purpose: "sip", Task: fmt.Sprint(i)}})
				taken[result.Worker]++
				most = max(most, taken[result.Worker])
			}
			if ratio := float64(most) / 20; ratio > 1.1 {
				t.Errorf("%s: the most loaded of 100 workers holds %.2f times the mean", strategy, ratio)
			}
		}
	}
}

func TestStrategyChangesAtRunTime(t *testing.T) {
	c := newCluster(t, plain(muster.LastUsed))
	c.equalWorkers("sip", 3)
	got := []string{c.place("sip", "1", ""), c.place("sip", "2", "")}
	c.do(Configure{plain(muster.RoundRobin)})
	got = append(got, c.place("sip", "3", ""), c.place("sip", "4", ""))
	if want := []string{"w0", "w0", "w1", "w2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	bad := plain("fastest")
	if why := c.refused(Configure{bad}); why == "" || c.Config().General != muster.RoundRobin {
		t.Errorf("a strategy that does not exist is in force: %v", why)
	}
}

func TestTwoChoicesForgetsAWorkerThatLeft(t *testing.T) {
	c := newCluster(t, plain(muster.TwoChoices))
	c.equalWorkers("sip", 3)
	c.place("sip", "t", "")
	pool := c.purposes["sip"].pool
	spare := pool.Memory().Spare
	if spare == nil {
		t.Fatal("no worker is remembered")
	}
	c.do(Quit{spare.ID})
	if pool.Memory().Spare != nil {
		t.Errorf("%s is still kept in mind", spare.ID)
	}
}

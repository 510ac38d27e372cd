package bench

import (
	"context"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// place runs a small benchmark.
func place(t *testing.T, change func(*PlaceOptions)) PlaceResult {
	t.Helper()
	o := DefaultPlaceOptions()
	o.Workers, o.Tasks = 100, 5000
	change(&o)
	r, err := Place(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryStrategyIsMeasured(t *testing.T) {
	for _, s := range muster.Strategies {
		t.Run(string(s), func(t *testing.T) {
			r := place(t, func(o *PlaceOptions) { o.Strategy = s })
			if r.Strategy != s || r.Workers != 100 || r.Tasks != 5000 || r.Failed != 0 || r.Interrupted {
				t.Errorf("not what was asked for: %+v", r)
			}
			if r.PerS <= 0 || r.P50 <= 0 || r.P99 < r.P50 || r.Release <= 0 || r.Clock <= 0 {
				t.Errorf("times are missing: %+v", r)
			}
			if r.MaxOverMean < 1 || r.LoadMaxOverMean < 1 {
				t.Errorf("the most loaded worker is under the mean: %+v", r)
			}
		})
	}
}

// The figure that design and issue ask for: a burst onto equal workers, with
// no report between.
func TestBurstIsBalanced(t *testing.T) {
	for _, s := range []muster.Strategy{muster.LeastUsed, muster.RoundRobin, muster.WeightRobin, muster.TwoChoices} {
		t.Run(string(s), func(t *testing.T) {
			r := place(t, func(o *PlaceOptions) {
				o.Tasks, o.ISPs, o.Regions, o.PerWorker, o.Strategy = 2000, 1, 1, 0, s
			})
			if r.Failed != 0 || r.MaxOverMean > 1.1 {
				t.Errorf("most loaded ÷ mean is %g, %d failed; want at most 1.1, none", r.MaxOverMean, r.Failed)
			}
		})
	}
}

func TestBalanceShowsABurstOnOneWorker(t *testing.T) {
	r := place(t, func(o *PlaceOptions) {
		o.Tasks, o.ISPs, o.Regions, o.Debit = 2000, 1, 1, state.Debit{Mode: state.DebitOff}
	})
	if r.MaxOverMean != 100 {
		t.Errorf("without debit all 2,000 go to one of 100 workers, 100 times the mean; got %g", r.MaxOverMean)
	}
}

func TestTasksThatDoNotFitAreCounted(t *testing.T) {
	// Room for 0.85 − 0.1 = 0.75, which the eighth task of a worker passes.
	r := place(t, func(o *PlaceOptions) {
		o.PerWorker, o.Tasks, o.Debit = 0, 2000, state.Debit{Mode: state.DebitFixed, Fixed: 0.1}
		o.ISPs, o.Regions = 1, 1
	})
	if want := 2000 - 8*100; r.Failed != want || !strings.Contains(r.Reason, "full load") {
		t.Errorf("%d failed (%q), want %d", r.Failed, r.Reason, want)
	}
}

func TestAnyNumberOfTasksFits(t *testing.T) {
	r := place(t, func(o *PlaceOptions) {
		o.Workers, o.Tasks, o.PerWorker, o.Debit = 10, 20_000, 5, state.Debit{Mode: state.DebitFixed, Fixed: 0.01}
	})
	if r.Failed != 0 {
		t.Errorf("%d of %d tasks failed: %s", r.Failed, r.Tasks, r.Reason)
	}
}

func TestTasksFollowTheFleet(t *testing.T) {
	if got := (PlaceOptions{Workers: 10}).withDefaults().Tasks; got != 100_000 {
		t.Errorf("10 workers get %d tasks, want 100,000", got)
	}
	if got := (PlaceOptions{Workers: 100_000}).withDefaults().Tasks; got != 2_000_000 {
		t.Errorf("100,000 workers get %d tasks, want 20 each", got)
	}
}

func TestPlaceIsTheSameForTheSameSeed(t *testing.T) {
	run := func(seed uint64) PlaceResult {
		return place(t, func(o *PlaceOptions) {
			o.Strategy, o.Seed, o.ISPs, o.Regions = muster.RandomlyPick, seed, 1, 1
		})
	}
	a, b, c := run(1), run(1), run(2)
	if a.MaxOverMean != b.MaxOverMean || a.MaxOverMean == c.MaxOverMean {
		t.Errorf("balance %g and %g of one seed, %g of another", a.MaxOverMean, b.MaxOverMean, c.MaxOverMean)
	}
}

func TestPlaceThatIsInterruptedTellsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := DefaultPlaceOptions()
	o.Workers = 10
	const batch = 10 * 20 / 4
	o.Progress = func(done, _ int) {
		if done >= 2000 {
			cancel()
		}
	}
	r, err := Place(ctx, o)
	if err != nil || !r.Interrupted || r.Tasks != 40*batch || r.PerS <= 0 {
		t.Errorf("got %+v, %v; want the first two batches", r, err)
	}
}

func TestPlaceRefusesWhatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*PlaceOptions){
		"workers":    func(o *PlaceOptions) { o.Workers = 0 },
		"tasks":      func(o *PlaceOptions) { o.Tasks = -1 },
		"isps":       func(o *PlaceOptions) { o.ISPs = 0 },
		"per-worker": func(o *PlaceOptions) { o.PerWorker = -1 },
		"spread":     func(o *PlaceOptions) { o.Load, o.Spread = 0.5, 0.6 },
		"strategy":   func(o *PlaceOptions) { o.Strategy = "best" },
	} {
		o := DefaultPlaceOptions()
		change(&o)
		if _, err := Place(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v does not name it", name, err)
		}
	}
}

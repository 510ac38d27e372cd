package measure

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsHoldWhatIsCountedInThem(t *testing.T) {
	last := -1
	for _, d := range []time.Duration{0, 1, 63, 64, 65, 127, 128, 129, 130, 255, 256, 1000, 1 << 20, 1<<40 + 12345, 1<<62 + 1} {
		b := bucket(d)
		if b < last {
			t.Errorf("%d counts in bucket %d, below that of a smaller duration (%d)", d, b, last)
		}
		last = b
		if up := upper(b); up < d || float64(up) > float64(d)*(1+1.0/64)+1 {
			t.Errorf("%d counts in bucket %d, which ends at %d", d, b, up)
		}
		if b > 0 && upper(b-1) >= d {
			t.Errorf("%d counts in bucket %d, but the one before ends at %d", d, b, upper(b-1))
		}
	}
}

func TestQuantilesAreThoseOfTheSortedDurations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	halves := [2]Histogram{}
	for i := range 10_000 {
		d := time.Duration(rng.ExpFloat64() * 1e6)
		all = append(all, d)
		halves[i%2].Add(d)
	}
	slices.Sort(all)
	h := halves[0]
	h.Merge(&halves[1])
	for _, q := range []float64{0, 0.5, 0.99, 1} {
		want := all[max(int(q*float64(len(all))+0.5)-1, 0)]
		if got := h.Quantile(q); got < want || float64(got) > float64(want)*1.02+1 {
			t.Errorf("quantile %g is %d, want %d or up to 2 %% more", q, got, want)
		}
	}
}

func TestQuantileOfNothingIsZero(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.99); got != 0 {
		t.Errorf("got %v", got)
	}
}

func TestClockCostIsPlausible(t *testing.T) {
	if c := ClockCost(); c < 0 || c > time.Millisecond {
		t.Errorf("reading the clock costs %v", c)
	}
}

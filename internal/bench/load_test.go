package bench

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSliceKeepsItsCallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inFlight, most atomic.Int64
		l := newLoad(8, func(context.Context, int) error {
			most.Store(max(most.Load(), inFlight.Add(1)))
			time.Sleep(10 * time.Millisecond) // synctest's time
			inFlight.Add(-1)
			return nil
		})
		l.slice(t.Context(), 95*time.Millisecond)
		if most.Load() != 8 || l.answered() != 80 || l.total != 100*time.Millisecond {
			t.Errorf("%d in flight, %d answered in %v; want 8, 80 in 100ms: a call that has begun is waited for",
				most.Load(), l.answered(), l.total)
		}
		if got := l.perSecond(); got != 800 {
			t.Errorf("%d a second, want 800", got)
		}
	})
}

func TestSliceCountsFailuresApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		l := newLoad(1, func(context.Context, int) error {
			time.Sleep(time.Millisecond)
			if n++; n%4 == 0 {
				return errors.New("no")
			}
			return nil
		})
		l.slice(t.Context(), 100*time.Millisecond)
		failed, reason := l.failed()
		if l.answered() != 75 || failed != 25 || reason != "no" || l.times().total != 75 {
			t.Errorf("%d answered, %d timed, %d failed with %q", l.answered(), l.times().total, failed, reason)
		}
		l.forget()
		if failed, _ := l.failed(); l.answered() != 0 || failed != 0 || l.perSecond() != 0 {
			t.Error("something is left after forget")
		}
	})
}

func TestInterruptEndsASliceButNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := newLoad(2, func(call context.Context, _ int) error {
			time.Sleep(time.Millisecond)
			cancel()
			time.Sleep(time.Millisecond)
			return call.Err()
		})
		l.slice(ctx, time.Hour)
		if failed, _ := l.failed(); l.answered() != 2 || failed != 0 {
			t.Errorf("%d answered, %d failed; want the two that were in flight", l.answered(), failed)
		}
	})
}

func TestQuartiles(t *testing.T) {
	low, high := quartiles([]float64{1, 4, 2, 3, 5}, []float64{1, 1, 1, 1, 1})
	if low != 2 || high != 4 {
		t.Errorf("got %g and %g, want 2 and 4", low, high)
	}
	if low, high = quartiles([]float64{1}, []float64{0}); low != 0 || high != 0 {
		t.Errorf("got %g and %g of nothing", low, high)
	}
}

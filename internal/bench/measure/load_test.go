package measure

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
		l := NewLoad(8, func(context.Context, int) error {
			most.Store(max(most.Load(), inFlight.Add(1)))
			time.Sleep(10 * time.Millisecond) // synctest's time
			inFlight.Add(-1)
			return nil
		})
		l.Slice(t.Context(), 95*time.Millisecond)
		if most.Load() != 8 || l.Answered() != 80 || l.total != 100*time.Millisecond {
			t.Errorf("%d in flight, %d answered in %v; want 8, 80 in 100ms: a call that has begun is waited for",
				most.Load(), l.Answered(), l.total)
		}
		if got := l.PerSecond(); got != 800 {
			t.Errorf("%d a second, want 800", got)
		}
	})
}

func TestSliceCountsFailuresApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		l := NewLoad(1, func(context.Context, int) error {
			time.Sleep(time.Millisecond)
			if n++; n%4 == 0 {
				return errors.New("no")
			}
			return nil
		})
		l.Slice(t.Context(), 100*time.Millisecond)
		failed, reason := l.Failed()
		if l.Answered() != 75 || failed != 25 || reason != "no" || l.Times().total != 75 {
			t.Errorf("%d answered, %d timed, %d failed with %q", l.Answered(), l.Times().total, failed, reason)
		}
		l.Forget()
		if failed, _ := l.Failed(); l.Answered() != 0 || failed != 0 || l.PerSecond() != 0 {
			t.Error("something is left after forget")
		}
	})
}

func TestInterruptEndsASliceButNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := NewLoad(2, func(call context.Context, _ int) error {
			time.Sleep(time.Millisecond)
			cancel()
			time.Sleep(time.Millisecond)
			return call.Err()
		})
		l.Slice(ctx, time.Hour)
		if failed, _ := l.Failed(); l.Answered() != 2 || failed != 0 {
			t.Errorf("%d answered, %d failed; want the two that were in flight", l.Answered(), failed)
		}
	})
}

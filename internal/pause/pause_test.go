package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-fleet/muster/internal/pause"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if !pause.For(ctx, time.Second) || time.Since(begin) != time.Second {
			t.Errorf("it ended after %v", time.Since(begin))
		}
		if pause.For(ctx, time.Hour) || time.Since(begin) != time.Minute {
			t.Errorf("with the context it ended after %v", time.Since(begin))
		}
		if pause.For(ctx, 0) {
			t.Error("no pause reports that a context that has ended lasts")
		}
	})
}

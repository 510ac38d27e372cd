// Package pause waits, but not longer than a context lasts.
package pause

import (
	"context"
	"time"
)

// For waits that long, and reports whether ctx lasted.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

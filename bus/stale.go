package bus

import (
	"context"
	"time"
)

// maxStale bounds what an answer may say of its age.
const maxStale = 10 * 365 * 24 * time.Hour

// staleKey is where a context has the function of OnStale.
type staleKey struct{}

// OnStale returns a context whose calls tell f when they are answered, or
// refused, from a state that may be out of date, and how old that state is. f
// is called before the call returns, on its goroutine. On the wire it is a
// member of the answer, "stale", in milliseconds, which OWT's programs ignore.
func OnStale(ctx context.Context, f func(age time.Duration)) context.Context {
	return context.WithValue(ctx, staleKey{}, f)
}

// ReportStale is for those who implement a Conn: it tells whom OnStale named what
// the answer says of its age.
func ReportStale(ctx context.Context, age time.Duration) {
	if age <= 0 {
		return
	}
	if f, ok := ctx.Value(staleKey{}).(func(time.Duration)); ok {
		f(age)
	}
}

// staleMillis is an age as it travels, at least 1 for one that is stale at all.
func staleMillis(age time.Duration) int64 { return max(age.Milliseconds(), 1) }

// staleAge reads it. What no age can be is none.
func staleAge(ms float64) time.Duration {
	if !(ms > 0) {
		return 0
	}
	return time.Duration(min(ms, float64(maxStale.Milliseconds()))) * time.Millisecond
}

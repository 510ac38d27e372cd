package bus

import (
	"context"
	"time"
)

// maxStale bounds the age in an answer.
const maxStale = 10 * 365 * 24 * time.Hour

// staleKey is the context key of OnStale's function.
type staleKey struct{}

// OnStale returns a context whose calls report to f how old the state is that an
// answer, or refusal, is based on, if it may be out of date. f
// is called before the call returns, on its goroutine. On the wire it is a
// member of the answer, "stale", in milliseconds, which OWT's programs ignore.
func OnStale(ctx context.Context, f func(age time.Duration)) context.Context {
	return context.WithValue(ctx, staleKey{}, f)
}

// ReportStale is for implementations of Conn: it passes the age in an answer to the
// function of OnStale.
func ReportStale(ctx context.Context, age time.Duration) {
	if age <= 0 {
		return
	}
	if f, ok := ctx.Value(staleKey{}).(func(time.Duration)); ok {
		f(age)
	}
}

// staleMillis is the encoding of an age, at least 1 for a stale answer.
func staleMillis(age time.Duration) int64 { return max(age.Milliseconds(), 1) }

// staleAge decodes it. Invalid values count as 0.
func staleAge(ms float64) time.Duration {
	if !(ms > 0) {
		return 0
	}
	return time.Duration(min(ms, float64(maxStale.Milliseconds()))) * time.Millisecond
}

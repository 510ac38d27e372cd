package bus

import (
	"context"
	"fmt"

	"github.com/muster-fleet/muster"
)

// limitKey is the context key of LimitRequests.
type limitKey struct{}

// LimitRequests returns a context whose Serve and JoinGroup refuse requests of more
// than so many bytes, and do not read them: reading one of megabytes takes longer
// than receiving it.
func LimitRequests(ctx context.Context, bytes int) context.Context {
	return context.WithValue(ctx, limitKey{}, bytes)
}

// RequestLimit is for implementations of Conn: it returns the bytes of
// LimitRequests, 0 if there is no limit.
func RequestLimit(ctx context.Context) int {
	bytes, _ := ctx.Value(limitKey{}).(int)
	return bytes
}

// TooLarge is for implementations of Conn: it is the refusal of a request that
// exceeds the limit.
func TooLarge(bytes, limit int) muster.Reason {
	return muster.Reason{Code: muster.CodeTooLarge, Text: fmt.Sprintf("the request has %d bytes, must not have more than %d", bytes, limit)}
}

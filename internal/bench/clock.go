package bench

import (
	"slices"
	"time"
)

// epoch is what now counts from; only differences matter.
var epoch = time.Now()

// now is the monotonic clock, without the wall clock's cost.
func now() time.Duration { return time.Since(epoch) }

// clockCost returns what one reading of the clock adds to what is measured
// between two: the median of many readings with nothing between them.
func clockCost() time.Duration {
	costs := make([]time.Duration, 1001)
	const each = 64 // one difference alone is too coarse on some machines
	for i := range costs {
		start := now()
		for range each - 1 {
			now()
		}
		costs[i] = (now() - start) / each
	}
	slices.Sort(costs)
	return costs[len(costs)/2]
}

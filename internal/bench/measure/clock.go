package measure

import (
	"slices"
	"time"
)

// epoch is what now counts from; only differences matter.
var epoch = time.Now()

// Now is the monotonic clock, without the wall clock's cost.
func Now() time.Duration { return time.Since(epoch) }

// ClockCost returns what one reading of the clock adds to what is measured
// between two: the median of many readings with nothing between them.
func ClockCost() time.Duration {
	costs := make([]time.Duration, 1001)
	const each = 64 // one difference alone is too coarse on some machines
	for i := range costs {
		start := Now()
		for range each - 1 {
			Now()
		}
		costs[i] = (Now() - start) / each
	}
	slices.Sort(costs)
	return costs[len(costs)/2]
}

package measure

import (
	"math/bits"
	"time"
)

// subBits makes 2^subBits buckets of every power of two, so that a quantile is
// at most 1/2^subBits, some 1.6 %, above the truth.
const subBits = 6

// Histogram counts durations. Its zero value is ready; it is for one goroutine.
type Histogram struct {
	counts [(64 - subBits) << subBits]uint32
	total  uint64
}

// bucket returns where d counts: values under 2^subBits each have their own.
func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// upper returns the largest duration that counts in the bucket.
func upper(b int) time.Duration {
	shift := max(b>>subBits-1, 0)
	return time.Duration((uint64(b-shift<<subBits)+1)<<shift - 1)
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(d)]++
	h.total++
}

// Merge adds what another histogram counted.
func (h *Histogram) Merge(other *Histogram) {
	for b, n := range other.counts {
		h.counts[b] += n
	}
	h.total += other.total
}

// Quantile returns the duration that q (from 0 to 1) of all do not exceed, 0
// where there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := max(uint64(q*float64(h.total)+0.5), 1)
	var seen uint64
	for b, n := range h.counts {
		if seen += uint64(n); seen >= rank && n > 0 {
			return upper(b)
		}
	}
	return 0
}

package bench

import (
	"math"
	"time"
)

// perSecond returns n ÷ d as a whole number, 0 where no time passed.
func perSecond(n int, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64(math.Round(float64(n) / d.Seconds()))
}

// round returns x with so many digits after the point.
func round(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}

package measure

import (
	"math"
	"time"
)

// PerSecond returns n ÷ d as a whole number, 0 where no time passed.
func PerSecond(n int, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64(math.Round(float64(n) / d.Seconds()))
}

// Round returns x with so many digits after the point.
func Round(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}

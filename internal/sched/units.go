package sched

import "math"

// Units is a load as a whole number of billionths. Sums of whole numbers are
// exact: debits that are added and given back leave nothing behind, and every
// replica computes the same.
type Units int64

// One is a load of 1.
const One Units = 1_000_000_000

// maxLoad bounds a load, so that no sum overflows.
const maxLoad = 1_000_000

// UnitsOf rounds a load to Units. A load that is negative or not a number
// counts as 0, one above a million as a million.
func UnitsOf(load float64) Units {
	if !(load > 0) {
		return 0
	}
	return Units(math.Round(min(load, maxLoad) * float64(One)))
}

// Float returns u as a load.
func (u Units) Float() float64 { return float64(u) / float64(One) }

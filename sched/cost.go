package sched

// Cost is what a placement of a purpose adds to its worker's load, learned
// from what placements really added: a moving average in which each
// observation counts a tenth.
type Cost struct{ estimate Units }

const (
	firstEstimate = One / 100
	mostObserved  = One / 2
	observations  = 10
)

// NewCost returns a cost about which nothing is known: a hundredth.
func NewCost() Cost { return Cost{firstEstimate} }

// CostOf returns a cost that was learned before.
func CostOf(estimate Units) Cost { return Cost{min(max(estimate, 0), mostObserved)} }

// Estimate is the average so far.
func (c *Cost) Estimate() Units { return c.estimate }

// Observe takes in that one placement added this much. What is under the floor
// counts as the floor, what is over a half as a half: a worker's load changes
// for other reasons too, and one wild report must not spoil the average.
func (c *Cost) Observe(added, floor Units) {
	added = min(max(added, floor), mostObserved)
	c.estimate += (added - c.estimate) / observations
}

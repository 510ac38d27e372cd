package sched

// Cost is what a placement of a purpose adds to its worker's load, learned
// from what placements really added: a moving average in which each
// observation counts a tenth.
type Cost struct {
	estimate Units
	seen     int // observations, up to as many as make it sure
}

const (
	firstEstimate = One / 100
	mostObserved  = One / 2
	observations  = 10
)

// NewCost returns a cost about which nothing is known: a hundredth.
func NewCost() Cost { return Cost{estimate: firstEstimate} }

// CostOf returns a cost that was learned before, from as many observations.
func CostOf(estimate Units, seen int) Cost {
	return Cost{min(max(estimate, 0), mostObserved), min(max(seen, 0), observations)}
}

// Estimate is the average so far.
func (c *Cost) Estimate() Units { return c.estimate }

// Seen is how many observations it rests on, up to those that make it Sure.
func (c *Cost) Seen() int { return c.seen }

// Sure reports whether the average rests on enough observations to keep a worker
// from getting tasks.
func (c *Cost) Sure() bool { return c.seen >= observations }

// Observe takes in that one placement added this much. Less than the floor
// counts as the floor, more than a half as a half: a worker's load changes
// for other reasons too, and one wild report must not spoil the average.
func (c *Cost) Observe(added, floor Units) {
	added = min(max(added, floor), mostObserved)
	c.estimate += (added - c.estimate) / observations
	c.seen = min(c.seen+1, observations)
}

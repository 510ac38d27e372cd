package muster

import (
	"fmt"
	"slices"
	"strings"
)

// Strategy says which of the workers that may take a task does take it. The
// names, save the last, are those of OWT's cluster manager.
type Strategy string

const (
	// LeastUsed takes the worker with the least load; of equals, the one that
	// joined first.
	LeastUsed Strategy = "least-used"
	// MostUsed takes the worker with the most load that still has room, so
	// that the others can be emptied; of equals, the one that joined last.
	MostUsed Strategy = "most-used"
	// LastUsed stays with the worker of the last placement for as long as it
	// is a candidate, then takes the one that joined first.
	LastUsed Strategy = "last-used"
	// RoundRobin takes the candidate that joined next after the one of the
	// last placement, and starts again from the first.
	RoundRobin Strategy = "round-robin"
	// RandomlyPick takes any candidate, all with the same chance.
	RandomlyPick Strategy = "randomly-pick"
	// WeightRobin is smooth weighted round robin: a worker's weight is
	// ⌊(1 − load) × 100⌋, each placement adds every candidate's weight to
	// its credit and takes the sum of the weights from the one with the most.
	WeightRobin Strategy = "weight-robin"
	// TwoChoices draws two candidates at random and takes the less loaded of
	// them and of the better one left over from the placement before
	// (Mitzenmacher, Prabhakar, Shah: "Load balancing with memory", 2002).
	TwoChoices Strategy = "two-choices"
)

// Strategies lists every strategy there is.
var Strategies = []Strategy{LeastUsed, MostUsed, LastUsed, RoundRobin, RandomlyPick, WeightRobin, TwoChoices}

// ParseStrategy returns the strategy of that name. Its error lists the names
// that exist.
func ParseStrategy(name string) (Strategy, error) {
	return parseName("strategy", name, Strategies)
}

// parseName returns the name if it is one of those that exist. Its error lists them.
func parseName[N ~string](what, name string, all []N) (N, error) {
	if slices.Contains(all, N(name)) {
		return N(name), nil
	}
	names := make([]string, len(all))
	for i, n := range all {
		names[i] = string(n)
	}
	return "", fmt.Errorf("unknown %s %q: use one of %s", what, name, strings.Join(names, ", "))
}

package sched

import (
	"fmt"

	"github.com/muster-fleet/muster"
)

// index keeps the available workers as a strategy needs them, and chooses.
type index interface {
	// enter adds a worker that has become available, and leave removes one
	// that no longer is; update follows a change of the load or the debit of
	// an available one.
	enter(w *Worker)
	leave(w *Worker)
	update(w *Worker)
	// choose picks of the tier, which has an available worker, the one to
	// take, and up to three more that it would take if the former were not
	// there.
	choose(t *tier, seed uint64, out *picks)
}

func (p *Pool) newIndex() index {
	switch p.strategy {
	case muster.LeastUsed:
		return byLoad{p, 1}
	case muster.MostUsed:
		return byLoad{p, -1}
	case muster.WeightRobin:
		return byWeight{p}
	case muster.LastUsed:
		return lastUsed{byPlace{p}}
	case muster.RoundRobin:
		return roundRobin{byPlace{p}}
	case muster.TwoChoices:
		return twoChoices{byPlace{p}}
	case muster.RandomlyPick:
		return random{byPlace{p}}
	}
	// Callers check names with ParseStrategy. Another index in its place would
	// hide a strategy that was added elsewhere and forgotten here.
	panic(fmt.Sprintf("sched: strategy %q has no index", p.strategy))
}

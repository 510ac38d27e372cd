package sched

import "github.com/muster-fleet/muster"

// index keeps the available workers as a strategy needs them, and chooses.
type index interface {
	// enter and leave tell that a worker is available from now on, or no
	// more; update that the load or the debit of an available one changed.
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
		return sticky{byPlace{p}}
	case muster.RoundRobin:
		return turns{byPlace{p}}
	case muster.TwoChoices:
		return twoChoices{byPlace{p}}
	}
	return random{byPlace{p}}
}

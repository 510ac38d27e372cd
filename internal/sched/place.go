package sched

import (
	"encoding/json"

	"github.com/muster-fleet/muster"
)

// Place chooses a worker for a task of that preference, and writes to why how.
// The caller fills in the members of why that it knows, gives Chosen a place to
// write to and Others room, and hands the worker its task with Worker.Hold.
// seed is the randomness of the choice.
//
// The error, a muster.Reason or one that names the requirement that cannot be
// understood, is in why too.
func (p *Pool) Place(preference json.RawMessage, seed uint64, why *muster.Explanation) (*Worker, error) {
	why.Strategy, why.Workers = p.strategy, p.live
	v, ignored, err := p.view(preference)
	if err != nil {
		return nil, refuse(why, err)
	}
	why.Ignored = ignored
	t, n := v.candidates(&why.Excluded)
	why.Candidates = n
	if n == 0 {
		if p.statuses[available] == 0 {
			return nil, refuse(why, p.allFull)
		}
		return nil, refuse(why, p.noMatch)
	}
	p.picks.n = 0
	p.index.choose(t, seed, &p.picks)
	p.picks.explain(why)
	w := p.picks.first().worker
	p.Placed(w)
	return w, nil
}

// Placed notes that the worker got a task, as Place does: for a copy that
// repeats the placements of another pool.
func (p *Pool) Placed(w *Worker) { p.cursor, p.last = w.ord, w }

func refuse(why *muster.Explanation, err error) error {
	why.Reason, why.Chosen, why.Others = err.Error(), nil, nil
	return err
}

// candidates returns the tier that the task may be placed on and how many
// workers of it are available, and counts whom each rule kept out.
func (v *view) candidates(excluded *muster.Excluded) (*tier, int) {
	*excluded = v.excluded
	var n [2]int
	for i := range v.tiers {
		for _, c := range v.tiers[i].classes {
			n[i] += c.statuses[available]
			excluded[muster.RuleDraining] += c.statuses[draining]
			excluded[muster.RuleCordoned] += c.statuses[cordoned]
			excluded[muster.RuleNotReady] += c.statuses[notReady]
			excluded[muster.RuleFull] += c.statuses[full]
			excluded[muster.RuleSlots] += c.statuses[noSlots]
		}
	}
	if n[0] == 0 {
		return &v.tiers[1], n[1]
	}
	excluded[muster.RuleRegion] = n[1]
	return &v.tiers[0], n[0]
}

// picks are whom a strategy would take, the chosen one first.
type picks struct {
	list [1 + muster.MaxOthers]pick
	n    int
}

type pick struct {
	*seat
	score float64
}

// first is the chosen one, nil where none was picked yet.
func (k *picks) first() *seat {
	if k.n == 0 {
		return nil
	}
	return k.list[0].seat
}

// add appends a pick and reports whether there is room for another.
func (k *picks) add(s *seat, score float64) bool {
	k.list[k.n] = pick{s, score}
	k.n++
	return k.n < len(k.list)
}

func (k *picks) explain(why *muster.Explanation) {
	*why.Chosen = k.list[0].candidate()
	for i := 1; i < k.n; i++ {
		why.Others = append(why.Others, k.list[i].candidate())
	}
}

func (k *pick) candidate() muster.Candidate {
	return muster.Candidate{Worker: k.id, Load: k.report, Debit: k.debit.Float(), Score: k.score}
}

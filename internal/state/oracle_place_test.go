package state

import (
	"math/bits"
	"slices"

	"github.com/muster-fleet/muster"
)

func (o *oracle) place(op Schedule, seed uint64, why *muster.Explanation) (*oracleWorker, error) {
	why.Strategy = o.strategy(op.Purpose)
	m := o.memory[op.Purpose]
	if m == nil {
		return nil, muster.ReasonNoScheduler(op.Purpose)
	}
	for _, w := range o.workers {
		if w.purpose == op.Purpose {
			why.Workers++
		}
	}
	pref, err := muster.ParsePreference(op.Preference)
	if err != nil {
		return nil, err
	}
	var all []*oracleWorker
	anyone := false
	for _, w := range o.workers {
		if w.purpose != op.Purpose {
			continue
		}
		anyone = anyone || o.dynamic(w) < 0
		rule := oracleMatch(w, pref)
		if rule < 0 {
			rule = o.dynamic(w)
		}
		if rule >= 0 {
			why.Excluded[rule]++
		} else {
			all = append(all, w)
		}
	}
	if slices.Contains([]string{"webrtc", "portal", "streaming", "audio", "video"}, op.Purpose) && pref.Region != "" {
		var inside []*oracleWorker
		for _, w := range all {
			if slices.Contains(w.info.Capacity.Regions, pref.Region) {
				inside = append(inside, w)
			}
		}
		if len(inside) > 0 {
			why.Excluded[muster.RuleRegion] = len(all) - len(inside)
			all = inside
		}
	}
	why.Candidates = len(all)
	switch {
	case !anyone:
		return nil, muster.ReasonNotScheduled(op.Purpose, muster.ReasonAllFull)
	case len(all) == 0:
		return nil, muster.ReasonNotScheduled(op.Purpose, muster.ReasonNoMatch)
	}
	order, scores := o.order(why.Strategy, m, all, seed)
	for i, w := range order[:min(len(order), 4)] {
		_, debit := o.held(w)
		c := muster.Candidate{Worker: w.id, Load: w.load, Debit: float64(debit) / 1e9, Score: scores[i]}
		if i == 0 {
			why.Chosen = &c
		} else {
			why.Others = append(why.Others, c)
		}
	}
	m.cursor, m.last = order[0].seq, order[0]
	return order[0], nil
}

// canPlace reports whether there is a worker for a task, and chooses none.
func (o *oracle) canPlace(op Schedule) bool {
	pref, err := muster.ParsePreference(op.Preference)
	return err == nil && slices.ContainsFunc(o.workers, func(w *oracleWorker) bool {
		return w.purpose == op.Purpose && oracleMatch(w, pref) < 0 && o.dynamic(w) < 0
	})
}

// dynamic returns the rule that keeps the worker out for now, or -1.
func (o *oracle) dynamic(w *oracleWorker) muster.Rule {
	n, _ := o.held(w)
	_, cordoned := o.operators.cordoned[w.id]
	switch {
	case o.drainOf(w) != nil:
		return muster.RuleDraining
	case cordoned:
		return muster.RuleCordoned
	case w.state != 2 && w.state != -1, !w.reported:
		return muster.RuleNotReady
	case o.charged(w) >= nano(w.info.MaxLoad):
		return muster.RuleFull
	case w.info.MaxTasks > 0 && n >= w.info.MaxTasks:
		return muster.RuleSlots
	}
	return -1
}

// oracleMatch returns the rule that keeps the worker out for good, or -1.
func oracleMatch(w *oracleWorker, p muster.Preference) muster.Rule {
	c := w.info.Capacity
	switch w.purpose {
	case "webrtc", "portal", "streaming", "audio", "video":
		if len(c.ISPs) > 0 && !slices.Contains(c.ISPs, p.ISP) {
			return muster.RuleISP
		}
	}
	if w.purpose == "video" {
		offered := muster.Formats{}
		if c.Video != nil {
			offered = *c.Video
		}
		for _, f := range p.Video.Encode {
			if !slices.Contains(offered.Encode, f) {
				return muster.RuleCodec
			}
		}
		for _, f := range p.Video.Decode {
			if !slices.Contains(offered.Decode, f) {
				return muster.RuleCodec
			}
		}
	}
	if w.purpose == "analytics" && p.Algorithm != "" && !slices.Contains(c.Algorithms, p.Algorithm) {
		return muster.RuleCodec
	}
	for _, l := range p.Labels {
		if !l.Matches(w.info.Labels) {
			return muster.RuleLabel
		}
	}
	return -1
}

// order sorts the candidates as the strategy would take them, with scores.
func (o *oracle) order(s muster.Strategy, m *oracleMemory, all []*oracleWorker, seed uint64) ([]*oracleWorker, []float64) {
	load := func(w *oracleWorker) int64 { return o.score(w) }
	less := func(a, b *oracleWorker) int { return int(load(a)-load(b))*1000000 + a.seq - b.seq }
	order := slices.Clone(all)
	n := len(all)
	var scores []float64
	turn := func(first int) []*oracleWorker { return slices.Concat(all[first:], all[:first]) }
	switch s {
	case muster.LeastUsed:
		slices.SortFunc(order, less)
	case muster.MostUsed:
		slices.SortFunc(order, func(a, b *oracleWorker) int { return less(b, a) })
	case muster.RoundRobin:
		first := 0
		for i := range all {
			if all[i].seq > m.cursor {
				first = i
				break
			}
		}
		return turn(first), []float64{0, 1, 2, 3}
	case muster.LastUsed:
		if i := slices.Index(order, m.last); i >= 0 {
			order = append([]*oracleWorker{m.last}, slices.Delete(order, i, i+1)...)
		}
		return order, []float64{0, 1, 2, 3}
	case muster.RandomlyPick:
		r := oracleDice(seed, 1)
		order = turn(oracleBelow(r[0], n))
	case muster.TwoChoices:
		order = o.twoChoices(m, all, seed, less)
	case muster.WeightRobin:
		var total int64
		for _, w := range all {
			weight := min(max((1e9-load(w))/1e7, 0), 100)
			if load(w) >= 1e9 {
				weight = 0
			}
			w.credit += weight
			total += weight
		}
		slices.SortStableFunc(order, func(a, b *oracleWorker) int { return int(b.credit - a.credit) })
		for _, w := range order {
			scores = append(scores, float64(w.credit))
		}
		order[0].credit -= total
		return order, scores
	}
	for _, w := range order {
		scores = append(scores, float64(load(w))/1e9)
	}
	return order, scores
}

func (o *oracle) twoChoices(m *oracleMemory, all []*oracleWorker, seed uint64, less func(a, b *oracleWorker) int) []*oracleWorker {
	r := oracleDice(seed, 2)
	i := oracleBelow(r[0], len(all))
	order := []*oracleWorker{all[i]}
	if len(all) > 1 {
		rest := slices.Delete(slices.Clone(all), i, i+1)
		order = append(order, rest[oracleBelow(r[1], len(rest))])
	}
	if slices.Contains(all, m.spare) && !slices.Contains(order, m.spare) {
		order = append(order, m.spare)
	}
	slices.SortFunc(order, less)
	m.spare = nil
	if len(order) > 1 {
		m.spare = order[1]
	}
	return order
}

func oracleDice(seed uint64, n int) (out []uint64) {
	for range n {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb
		out = append(out, z^(z>>31))
	}
	return out
}

func oracleBelow(r uint64, n int) int {
	high, _ := bits.Mul64(r, uint64(n))
	return int(high)
}

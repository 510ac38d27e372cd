package sched

import "slices"

// byPlace is what the strategies have in common that ask who comes next in the
// join order, or who is the k-th: the available workers of a tier as a set of
// places. A load that changes does not touch it.
type byPlace struct{ *Pool }

func (x byPlace) enter(w *Worker) {
	for _, t := range w.class.tiers {
		t.bits.set(w.ord)
	}
}

func (x byPlace) leave(w *Worker) {
	for _, t := range w.class.tiers {
		t.bits.unset(w.ord)
	}
}

func (byPlace) update(*Worker) {}

// bits returns the places of the available workers of a tier.
func (x byPlace) bits(t *tier) *bitset {
	if t.bits == nil {
		x.fill(t)
	}
	return t.bits
}

// fill gives a tier its bits. From then on its classes keep them up to date.
func (x byPlace) fill(t *tier) {
	t.bits = &bitset{}
	t.bits.grow(len(x.seats))
	for _, c := range t.classes {
		c.tiers = append(c.tiers, t)
		c.mark = t
	}
	for w := range x.All() {
		if w.status == available && w.class.mark == t {
			t.bits.words[w.ord>>6] |= 1 << (w.ord & 63)
		}
	}
	t.bits.recount()
}

// dropBits ends what fill began.
func (t *tier) dropBits() {
	if t.bits == nil {
		return
	}
	for _, c := range t.classes {
		c.tiers = slices.DeleteFunc(c.tiers, func(other *tier) bool { return other == t })
	}
	t.bits = nil
}

// inTurn picks the candidates that follow a place in the join order, which
// goes round, leaving out the worker that is picked already. Their score is
// their turn.
func (x byPlace) inTurn(set *bitset, place int32, out *picks) {
	taken := out.first()
	for range set.count {
		ord := set.after(place)
		place = ord + 1
		if s := x.seat(ord); s != taken && !out.add(s, float64(out.n)) {
			return
		}
	}
}

// roundRobin is the strategy round-robin.
type roundRobin struct{ byPlace }

func (x roundRobin) choose(t *tier, _ uint64, out *picks) {
	x.inTurn(x.bits(t), x.cursor+1, out)
}

// lastUsed is the strategy last-used.
type lastUsed struct{ byPlace }

func (x lastUsed) choose(t *tier, _ uint64, out *picks) {
	set := x.bits(t)
	if x.last != nil && set.has(x.last.ord) {
		out.add(x.last.seat(), 0)
	}
	x.inTurn(set, 0, out)
}

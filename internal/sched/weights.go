package sched

// groups are the available workers of a class for weight-robin, one group a
// weight. A decision raises the credit of every candidate by its weight: for a
// group that is one addition.
type groups struct {
	byWeight []*group // nil until the first worker enters
	list     []*group // those that have members
}

const maxWeight = 100

// group is workers of the same weight, by credit. A member's own credit is its
// credit in the group without the offset.
type group struct {
	weight  int64
	offset  int64
	index   int  // in groups.list
	members heap // the most credit first, of equals the first joined
}

// weight is ⌊(1 − load) × 100⌋ from 0 to 100, the debit being part of the load.
func weight(score Units) int64 {
	return int64(min(max(One-score, 0)/(One/maxWeight), maxWeight))
}

// of returns the group of a weight, for a worker that enters.
func (s *groups) of(weight int64) *group {
	if s.byWeight == nil {
		s.byWeight = make([]*group, maxWeight+1)
	}
	g := s.byWeight[weight]
	if g == nil {
		g = &group{weight: weight}
		s.byWeight[weight] = g
	}
	if len(g.members) == 0 {
		g.offset, g.index = 0, len(s.list)
		s.list = append(s.list, g)
	}
	return g
}

// drop takes a group without members off the list.
func (s *groups) drop(g *group) {
	last := len(s.list) - 1
	s.list[g.index] = s.list[last]
	s.list[g.index].index = g.index
	s.list = s.list[:last]
}

// byWeight is the strategy weight-robin: smooth weighted round robin.
type byWeight struct{ *Pool }

func (x byWeight) enter(w *Worker) {
	g := w.class.weights.of(weight(w.score()))
	w.group = g
	w.credit -= g.offset
	g.members.push(entry{-w.credit, w.ord}, x.at)
}

func (x byWeight) leave(w *Worker) {
	g := w.group
	g.members.remove(x.at[w.ord], x.at)
	w.credit += g.offset
	w.group = nil
	if len(g.members) == 0 {
		w.class.weights.drop(g)
	}
}

func (x byWeight) update(w *Worker) {
	if weight(w.score()) != w.group.weight {
		x.leave(w)
		x.enter(w)
	}
}

func (x byWeight) choose(t *tier, _ uint64, out *picks) {
	var f front
	var total int64
	for _, c := range t.classes {
		for _, g := range c.weights.list {
			g.offset += g.weight
			total += g.weight * int64(len(g.members))
			f.offer(&g.members, -g.offset)
		}
	}
	for _, h := range f.best() {
		out.add(x.seat(h.ord()), float64(-h.key))
	}
	w := out.first().worker
	w.credit -= total
	w.group.members.replace(x.at[w.ord], entry{-w.credit, w.ord}, x.at)
}

// Credit is what weight-robin owes the worker.
func (w *Worker) Credit() int64 {
	if w.group != nil {
		return w.credit + w.group.offset
	}
	return w.credit
}

// SetCredit sets what weight-robin owes a worker that reported no load yet.
func (w *Worker) SetCredit(credit int64) { w.credit = credit }

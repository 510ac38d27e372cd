package sched

// byLoad is the strategies least-used and most-used: a heap of the available
// workers a class, by load and debit.
type byLoad struct {
	*Pool
	sign int64 // 1: the least load first; -1: the most
}

func (x byLoad) entry(w *Worker) entry {
	tie := w.ord
	if x.sign < 0 {
		tie = ^tie
	}
	return entry{x.sign * int64(w.score()), tie}
}

func (x byLoad) enter(w *Worker)  { w.class.loads.push(x.entry(w), x.at) }
func (x byLoad) leave(w *Worker)  { w.class.loads.remove(x.at[w.ord], x.at) }
func (x byLoad) update(w *Worker) { w.class.loads.replace(x.at[w.ord], x.entry(w), x.at) }

func (x byLoad) choose(t *tier, _ uint64, out *picks) {
	var f front
	for _, c := range t.classes {
		f.offer(&c.loads, 0)
	}
	for _, h := range f.best() {
		s := x.seat(h.ord())
		out.add(s, s.score().Float())
	}
}

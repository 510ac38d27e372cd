package sched

// seat is a place in the join order, with what a decision reads of the workers
// that it looks at and does not take. Seats lie side by side: in a large pool
// the memory is what a decision waits for.
type seat struct {
	worker *Worker // nil: it left
	id     string
	report float64 // the load as it was reported
	load   Units   // the same in Units
	debit  Units
}

// score is the load that a strategy compares: the reported one and the debit.
func (s *seat) score() Units { return s.load + s.debit }

func (p *Pool) seat(ord int32) *seat { return &p.seats[ord] }

func (w *Worker) seat() *seat { return &w.pool.seats[w.ord] }

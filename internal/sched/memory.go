package sched

// Memory is what a pool remembers of its placements, and what a copy needs to
// decide alike.
type Memory struct {
	// Cursor is the place of the last placement among the workers in join
	// order, from 0. If that worker left, it is that of the one before it; -1
	// if there is none.
	Cursor int
	// Last is the worker of the last placement, Spare the one that two-choices
	// keeps in mind. Both are nil where there is none, or where it left.
	Last, Spare *Worker
}

// Memory returns what the pool remembers.
func (p *Pool) Memory() Memory { return Memory{p.place(), p.last, p.spare} }

// Remember sets what a pool remembers that no worker has left yet. The workers
// must be of the pool.
func (p *Pool) Remember(m Memory) {
	p.cursor, p.last, p.spare = int32(m.Cursor), m.Last, m.Spare
}

// place is Memory.Cursor.
func (p *Pool) place() int {
	n := -1
	for w := range p.All() {
		if w.ord <= p.cursor {
			n++
		}
	}
	return n
}

package sched

import "github.com/muster-fleet/muster"

// front finds the first few entries of several heaps, without changing them.
type front struct {
	heads [1 + muster.MaxOthers]head // sorted
	n     int
}

// head is an entry with the shift of its heap added to its key.
type head struct {
	entry
	heap  *heap
	shift int64
	i     int // in heap
}

// offer takes a heap into account.
func (f *front) offer(h *heap, shift int64) {
	if len(*h) > 0 {
		f.insert(h, shift, 0, 0)
	}
}

// insert takes entry i of a heap in, if it is among the first, behind the
// heads below from.
func (f *front) insert(h *heap, shift int64, i, from int) {
	e := (*h)[i]
	e.key += shift
	if f.n == len(f.heads) {
		if !e.before(f.heads[f.n-1].entry) {
			return
		}
		f.n--
	}
	j := f.n
	for ; j > from && e.before(f.heads[j-1].entry); j-- {
		f.heads[j] = f.heads[j-1]
	}
	f.heads[j] = head{e, h, shift, i}
	f.n++
}

// best returns the first entries of all. Only what lies directly under one of
// them can be the next one.
func (f *front) best() []head {
	for done := 0; done < f.n && done < len(f.heads)-1; done++ {
		top := f.heads[done]
		first := 4*top.i + 1
		for i := first; i < min(first+4, len(*top.heap)); i++ {
			f.insert(top.heap, top.shift, i, done+1)
		}
	}
	return f.heads[:f.n]
}

package state

import (
	"cmp"
	"slices"
)

// nameOrder lists the workers by purpose and then by id: an order that is the same
// on every manager, and that a change of other workers does not disturb. Joins and
// departures cost nothing here; the list is brought up to date when it is read.
type nameOrder struct {
	sorted, added []*worker
	gone          int // how many of both have left
}

// add takes a worker in.
func (o *nameOrder) add(w *worker) { o.added = append(o.added, w) }

// remove takes a worker out. Where few of the rest are alive it tidies up, so that
// an unread list does not grow.
func (o *nameOrder) remove(w *worker) {
	w.gone = true
	if o.gone++; o.gone > 64 && 2*o.gone > len(o.sorted)+len(o.added) {
		o.list()
	}
}

// list returns the workers in order. It is valid until the next change.
func (o *nameOrder) list() []*worker {
	if len(o.added) == 0 && o.gone == 0 {
		return o.sorted
	}
	left := func(w *worker) bool { return w.gone }
	o.added = slices.DeleteFunc(o.added, left)
	slices.SortFunc(o.added, func(a, b *worker) int { return comparePlace(a, b.purpose.name, b.ID) })
	merged := make([]*worker, 0, len(o.sorted)+len(o.added))
	rest := o.added
	for _, w := range o.sorted {
		for len(rest) > 0 && comparePlace(rest[0], w.purpose.name, w.ID) < 0 {
			merged, rest = append(merged, rest[0]), rest[1:]
		}
		if !w.gone {
			merged = append(merged, w)
		}
	}
	o.sorted, o.added, o.gone = append(merged, rest...), nil, 0
	return o.sorted
}

// from returns the workers in order, beginning with the first that is not before
// this place.
func (o *nameOrder) from(purpose, id string) []*worker {
	all := o.list()
	i, _ := slices.BinarySearchFunc(all, id, func(w *worker, id string) int { return comparePlace(w, purpose, id) })
	return all[i:]
}

func comparePlace(w *worker, purpose, id string) int {
	return cmp.Or(cmp.Compare(w.purpose.name, purpose), cmp.Compare(w.ID, id))
}

package sched

// entry is a worker in a heap: the least key is first, of equal keys the least
// tie. Keys and ties lie beside each other, so that to sift touches no worker.
type entry struct {
	key int64
	tie int32 // the place in the join order, or its complement: last first
}

func (e entry) before(f entry) bool {
	return e.key < f.key || e.key == f.key && e.tie < f.tie
}

// ord is the worker's place in the join order.
func (e entry) ord() int32 {
	if e.tie < 0 {
		return ^e.tie
	}
	return e.tie
}

// heap is a 4-ary heap. Where a worker is in its heap is written to the slice
// that the methods are handed, by place in the join order.
type heap []entry

func (h *heap) push(e entry, at []int32) {
	*h = append(*h, e)
	h.up(len(*h)-1, at)
}

func (h *heap) remove(i int32, at []int32) {
	last := len(*h) - 1
	moved := (*h)[last]
	*h = (*h)[:last]
	if int(i) < last {
		h.replace(i, moved, at)
	}
}

// replace puts e where the heap has an entry that is out of date.
func (h *heap) replace(i int32, e entry, at []int32) {
	(*h)[i] = e
	if i > 0 && e.before((*h)[(i-1)/4]) {
		h.up(int(i), at)
	} else {
		h.down(int(i), at)
	}
}

func (h heap) up(i int, at []int32) {
	e := h[i]
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(h[parent]) {
			break
		}
		h[i] = h[parent]
		at[h[i].ord()] = int32(i)
		i = parent
	}
	h[i] = e
	at[e.ord()] = int32(i)
}

func (h heap) down(i int, at []int32) {
	e := h[i]
	for first := 4*i + 1; first < len(h); first = 4*i + 1 {
		least := first
		for j := first + 1; j < min(first+4, len(h)); j++ {
			if h[j].before(h[least]) {
				least = j
			}
		}
		if !h[least].before(e) {
			break
		}
		h[i] = h[least]
		at[h[i].ord()] = int32(i)
		i = least
	}
	h[i] = e
	at[e.ord()] = int32(i)
}

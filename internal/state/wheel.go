package state

import (
	"cmp"
	"slices"

	"github.com/muster-fleet/muster"
)

// wheel keeps the reserved tasks by the end of their reservation: a slot holds
// those that end within the same 16 ms, or whole turns of the wheel (65 s)
// later. To add and to remove a task costs the same however many there are, and
// to look for expired ones costs what the slots hold that passed since.
type wheel struct {
	slots [wheelSlots]*task
	tick  int64 // of the last look
}

const (
	tickBits   = 4 // 16 ms
	wheelSlots = 4096
)

func tickOf(at muster.Instant) int64 { return int64(at) >> tickBits }

// add files a task. One that was over at the last look already goes where the
// next look begins.
func (w *wheel) add(t *task) {
	t.slot = uint16(max(tickOf(t.at), w.tick) & (wheelSlots - 1))
	head := &w.slots[t.slot]
	t.earlier, t.later = nil, *head
	if *head != nil {
		(*head).earlier = t
	}
	*head = t
}

func (w *wheel) remove(t *task) {
	if t.earlier == nil {
		w.slots[t.slot] = t.later
	} else {
		t.earlier.later = t.later
	}
	if t.later != nil {
		t.later.earlier = t.earlier
	}
	t.earlier, t.later = nil, nil
}

// due returns the tasks whose reservation has run out at that time, those first
// that ended first, and of these by purpose and name.
func (w *wheel) due(now muster.Instant) []*task {
	last := tickOf(now)
	var over []*task
	for tick := max(w.tick, last-wheelSlots+1); tick <= last; tick++ {
		for t := w.slots[tick&(wheelSlots-1)]; t != nil; t = t.later {
			if t.at <= now {
				over = append(over, t)
			}
		}
	}
	w.tick = last
	slices.SortFunc(over, func(a, b *task) int {
		return cmp.Or(
			cmp.Compare(a.at, b.at),
			cmp.Compare(a.worker.purpose.name, b.worker.purpose.name),
			cmp.Compare(a.name, b.name))
	})
	return over
}

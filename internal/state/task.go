package state

import (
	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/sched"
)

// task is a task that is on a worker: reserved, or running.
type task struct {
	name    string
	worker  *worker
	reserve int64 // milliseconds; 0: forgotten when it is laid down
	// at is the end of the reservation or, while it runs, when it was picked up.
	at      muster.Instant
	debit   sched.Units
	running bool
	fresh   bool   // running, and picked up since its worker's last report
	slot    uint16 // of the wheel, while it is reserved
	hash    uint32 // of purpose and name, for the table of tasks
	// placement is the number of the placement, 0 where it is not known.
	placement uint64
	// claim is the number of the last claim that was granted, 0 where there was
	// none. A placement may be claimed and laid down several times.
	claim uint64

	next, prev     *task // in its worker's list, or in the list of free ones
	later, earlier *task // in the wheel, while it is reserved
}

// until is the end of the reservation, 0 while it runs.
func (t *task) until() muster.Instant {
	if t.running {
		return 0
	}
	return t.at
}

// list is tasks in an order, linked through themselves.
type list struct {
	first, last *task
	n           int
}

func (l *list) push(t *task) {
	t.prev, t.next = l.last, nil
	if l.last == nil {
		l.first = t
	} else {
		l.last.next = t
	}
	l.last = t
	l.n++
}

func (l *list) remove(t *task) {
	if t.prev == nil {
		l.first = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		l.last = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
	l.n--
}

func (l *list) names() []string {
	names := make([]string, 0, l.n)
	for t := l.first; t != nil; t = t.next {
		names = append(names, t.name)
	}
	return names
}

// find returns the task of the purpose, nil where there is none.
func (s *State) find(p *purpose, name string) *task {
	return s.tasks.find(s.tasks.hash(p, name), p, name)
}

// on returns the task of that name if it is on the worker.
func (s *State) on(w *worker, name string) *task {
	if t := s.find(w.purpose, name); t != nil && t.worker == w {
		return t
	}
	return nil
}

// take puts a new task, of that hash, on a worker. It is in no list yet.
func (s *State) take(w *worker, name string, hash uint32, reserve int64, debit sched.Units, placement uint64) *task {
	t := s.newTask()
	t.name, t.hash, t.worker, t.reserve, t.debit, t.placement = name, hash, w, reserve, debit, placement
	s.placements = max(s.placements, placement)
	s.tasks.put(t)
	w.Hold(debit)
	return t
}

// forget takes a task off its worker.
func (s *State) forget(t *task) {
	w := t.worker
	if t.running {
		w.ended = true
		s.stop(t)
	} else {
		s.unreserve(t)
	}
	s.tasks.remove(t)
	w.Drop(t.debit)
	*t = task{next: s.free}
	s.free = t
}

// taskChunk is how many tasks are allocated at once: what fills the 8 KiB that Go
// rounds up to, less the 8 bytes that it takes for itself.
const taskChunk = 78

// newTask returns an empty task, from the free ones if there are any.
func (s *State) newTask() *task {
	if s.free == nil {
		chunk := make([]task, taskChunk)
		for i := range chunk {
			chunk[i].next = s.free
			s.free = &chunk[i]
		}
	}
	t := s.free
	s.free, t.next = t.next, nil
	return t
}

// reserve begins the reservation of a task that is in no list.
func (s *State) reserve(t *task, until muster.Instant) {
	t.worker.keep()
	t.at = until
	t.worker.reserved.push(t)
	t.worker.purpose.reserved++
	s.wheel.add(t)
}

func (s *State) unreserve(t *task) {
	t.worker.keep()
	s.wheel.remove(t)
	t.worker.reserved.remove(t)
	t.worker.purpose.reserved--
}

// run begins the run of a task that is in no list.
func (s *State) run(t *task, fresh bool) {
	t.worker.keep()
	t.running, t.fresh, t.at = true, fresh, s.now
	t.worker.running.push(t)
	t.worker.purpose.running++
}

func (s *State) stop(t *task) {
	t.worker.keep()
	t.running, t.fresh = false, false
	t.worker.running.remove(t)
	t.worker.purpose.running--
}

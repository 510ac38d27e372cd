package state

import (
	"cmp"
	"slices"

	"github.com/muster-fleet/muster"
)

// A Filter selects workers, or the tasks that are on such workers. An empty member
// selects all.
type Filter struct {
	// Purpose is that of the worker.
	Purpose string
	// Worker is its id.
	Worker string
	// State is its Status; of tasks, "reserved" or "running".
	State string
	// Region is one that it says it serves.
	Region string
	// Labels are those that it must have, with these values.
	Labels map[string]string
	// Task is the name of a task.
	Task string
}

// A Place is where a page ends, in the order of purpose, worker and task. The next
// page begins after it. It stays valid whatever changes meanwhile: what is there all
// the time is listed once.
type Place struct {
	Purpose, Worker, Task string
	// Whole puts the place after all tasks of the worker.
	Whole bool
}

// Bounds are how much a page may hold.
type Bounds struct {
	// Items is how many workers or tasks, Bytes about how long they are as JSON;
	// one is listed in any case.
	Items, Bytes int
	// Names is how many names of tasks are listed with each worker.
	Names int
}

// maxLooked is how many workers and tasks are looked at for one page: a filter that
// selects few must not hold the other requests up. The page is short then, or empty.
const maxLooked = 20_000

// page is a page under construction.
type page struct {
	filter Filter
	bounds Bounds
	looked int
	items  int
	bytes  int
}

// full reports whether no more fits.
func (p *page) full() bool { return p.items >= p.bounds.Items || p.bytes >= p.bounds.Bytes }

// spent reports whether the page ends before the next worker.
func (p *page) spent() bool { return p.full() || p.looked >= maxLooked }

// add counts an item of about this many bytes.
func (p *page) add(bytes int) {
	p.items++
	p.bytes += bytes
}

// PageWorkers lists workers by purpose and id, from after the place on. more reports
// whether the list goes on after next.
func (s *State) PageWorkers(f Filter, after Place, b Bounds) (list []muster.Worker, next Place, more bool) {
	p := &page{filter: f, bounds: b}
	list = []muster.Worker{}
	for _, w := range s.workersOf(f, after) {
		if w.purpose.name == after.Purpose && w.ID == after.Worker {
			continue
		}
		if p.spent() {
			return list, next, true
		}
		p.looked++
		next = Place{Purpose: w.purpose.name, Worker: w.ID}
		if f.selects(w) && (f.State == "" || f.State == w.statusName()) {
			item := s.listed(w, b.Names)
			list = append(list, item)
			p.add(sizeOfWorker(&item))
		}
	}
	return list, Place{}, false
}

// workersOf returns the workers that the filter can select, in order, from the place
// on.
func (s *State) workersOf(f Filter, from Place) []*worker {
	if f.Worker != "" {
		w := s.workers[f.Worker]
		if w == nil || comparePlace(w, from.Purpose, from.Worker) < 0 {
			return nil
		}
		return []*worker{w}
	}
	if f.Purpose == "" {
		return s.order.from(from.Purpose, from.Worker)
	}
	if from.Purpose < f.Purpose {
		from = Place{Purpose: f.Purpose}
	}
	rest := s.order.from(from.Purpose, from.Worker)
	end, _ := slices.BinarySearchFunc(rest, f.Purpose, func(w *worker, purpose string) int {
		return cmp.Or(cmp.Compare(w.purpose.name, purpose), -1)
	})
	return rest[:end]
}

// selects reports whether the filter selects the worker, its state aside.
func (f *Filter) selects(w *worker) bool {
	switch info := w.Info(); {
	case f.Purpose != "" && f.Purpose != w.purpose.name:
		return false
	case f.Region != "" && !slices.Contains(info.Capacity.Regions, f.Region):
		return false
	default:
		for key, value := range f.Labels {
			if got, ok := info.Labels[key]; !ok || got != value {
				return false
			}
		}
		return true
	}
}

// statusName is the state of a worker as people are shown it.
func (w *worker) statusName() string {
	return muster.Worker{
		State: w.State(), Load: w.Load(), NoLoad: !w.Reported(), Info: muster.Info{MaxLoad: w.Info().MaxLoad}, Drain: w.drainID(), Cordoned: w.IsCordoned(),
	}.Status()
}

// listed is Worker with at most so many names of tasks of each kind.
func (s *State) listed(w *worker, names int) muster.Worker {
	return muster.Worker{
		ID: w.ID, Purpose: w.purpose.name, State: w.State(), Load: w.Load(), NoLoad: !w.Reported(), Debit: w.Debit().Float(),
		Tasks: w.running.firstNames(names), Reserved: w.reserved.firstNames(names),
		RunningCount: w.running.n, ReservedCount: w.reserved.n, Info: *w.Info(),
		Drain: w.drainID(), Cordoned: w.IsCordoned(),
	}
}

func (l *list) firstNames(most int) []string {
	names := make([]string, 0, min(l.n, most))
	for t := l.first; t != nil && len(names) < most; t = t.next {
		names = append(names, t.name)
	}
	return names
}

// sizeOfWorker is about how long a worker is as JSON.
func sizeOfWorker(w *muster.Worker) int {
	size := 160 + len(w.ID) + len(w.Purpose) + len(w.Info.Raw)
	for _, names := range [][]string{w.Tasks, w.Reserved} {
		for _, name := range names {
			size += len(name) + 3
		}
	}
	return size
}

// PageTasks lists tasks by purpose, worker and name, from after the place on. more
// reports whether the list goes on after next. A task that moves to another worker
// meanwhile may be listed twice, or not at all.
func (s *State) PageTasks(f Filter, after Place, b Bounds) (list []Task, next Place, more bool) {
	p := &page{filter: f, bounds: b}
	list = []Task{}
	for _, w := range s.workersWithTask(f, after) {
		if p.spent() {
			return list, next, true
		}
		p.looked++
		from := ""
		if w.purpose.name == after.Purpose && w.ID == after.Worker {
			from = after.Task
			if after.Whole {
				continue
			}
		}
		if f.selects(w) {
			for _, t := range p.tasksOf(w, from) {
				if p.full() {
					return list, next, true
				}
				list = append(list, Task{w.purpose.name, t.name, w.ID, t.running, t.until(), t.placement})
				next = Place{Purpose: w.purpose.name, Worker: w.ID, Task: t.name}
				p.add(120 + len(w.purpose.name) + len(t.name) + len(w.ID))
			}
		}
		next = Place{Purpose: w.purpose.name, Worker: w.ID, Whole: true}
	}
	return list, Place{}, false
}

// workersWithTask is workersOf; of one task, the worker that has it.
func (s *State) workersWithTask(f Filter, from Place) []*worker {
	if f.Task == "" || f.Purpose == "" {
		return s.workersOf(f, from)
	}
	p := s.purposes[f.Purpose]
	if p == nil {
		return nil
	}
	t := s.find(p, f.Task)
	if t == nil {
		return nil
	}
	w := t.worker
	if f.Worker != "" && f.Worker != w.ID {
		return nil
	}
	return []*worker{w}
}

// tasksOf returns the selected tasks of a worker by name, from after this name on.
func (p *page) tasksOf(w *worker, after string) []*task {
	var out []*task
	for _, kind := range []struct {
		tasks *list
		name  string
	}{{&w.running, "running"}, {&w.reserved, "reserved"}} {
		if p.filter.State != "" && p.filter.State != kind.name {
			continue
		}
		for t := kind.tasks.first; t != nil; t = t.next {
			if t.name > after && (p.filter.Task == "" || p.filter.Task == t.name) {
				out = append(out, t)
			}
		}
		p.looked += kind.tasks.n
	}
	slices.SortFunc(out, func(a, b *task) int { return cmp.Compare(a.name, b.name) })
	return out
}

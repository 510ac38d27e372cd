package worker

import "slices"

// A farewell ends something at the manager: a task that was laid down, or a
// reservation that was rejected. Unlike the tasks that the worker has, it
// cannot be seen from the worker's own state later on, so it is kept until the
// manager has certainly heard it. So is a task that was picked up, in a list of
// its own: a new leader is told again of those, and not of all.
type farewell struct {
	method, task string
	// placement is the number of the placement that it ends, so that it ends
	// no later one of the same task when it is told again; 0 is any.
	placement uint64
	// beat is the last keep-alive that was sent before it.
	beat uint64
	// oks counts later keep-alives that were answered.
	oks int
}

// certain is how many answered keep-alives prove that a farewell sent before
// them arrived. Requests of one connection arrive in order, so one would do;
// but that a connection broke and was made again may become known a little
// after the fact.
const certain = 2

// farewells are those that the manager may not have heard, the oldest first.
type farewells struct{ waiting []farewell }

// add keeps a farewell. A task may be laid down and then rejected, which gives
// up the reservation that it had from being laid down: both must be heard.
func (f *farewells) add(one farewell) {
	f.waiting = slices.DeleteFunc(f.waiting, func(w farewell) bool { return w.task == one.task && w.method == one.method })
	f.waiting = append(f.waiting, one)
}

// cancel forgets those of a task: it is the worker's again.
func (f *farewells) cancel(task string) {
	f.waiting = slices.DeleteFunc(f.waiting, func(w farewell) bool { return w.task == task })
}

// heard is a keep-alive that was answered.
func (f *farewells) heard(beat uint64) {
	for i := range f.waiting {
		if w := &f.waiting[i]; beat > w.beat {
			w.oks++
		}
	}
	f.waiting = slices.DeleteFunc(f.waiting, func(w farewell) bool { return w.oks >= certain })
}

// doubt is a connection that broke, or a manager that may be another: what was
// told up to this keep-alive may not have been heard.
func (f *farewells) doubt(beat uint64) {
	for i := range f.waiting {
		f.waiting[i].oks, f.waiting[i].beat = 0, beat
	}
}

// cast tells the manager.
func (f farewell) cast(worker string) cast {
	if f.placement == 0 {
		return cast{f.method, []any{worker, f.task}}
	}
	return cast{f.method, []any{worker, f.task, f.placement}}
}

// placement is the one of a task that was ended last, 0 where that is not known.
func (f *farewells) placement(task string) uint64 {
	for _, w := range slices.Backward(f.waiting) {
		if w.task == task {
			return w.placement
		}
	}
	return 0
}

// tasks are those that they are of.
func (f *farewells) tasks() []string {
	var tasks []string
	for _, w := range f.waiting {
		tasks = append(tasks, w.task)
	}
	return tasks
}

// again is what it takes to tell them once more.
func (f *farewells) again(worker string) []action {
	var out []action
	for _, w := range f.waiting {
		out = append(out, w.cast(worker))
	}
	return out
}

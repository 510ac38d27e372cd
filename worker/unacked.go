package worker

import "slices"

// unackedReport is a report that the manager may not have received: of a task
// that was laid down, or a reservation that was rejected. It cannot be derived
// from the worker's state later, so it is kept until the manager has certainly
// received it. Picked up tasks have a list of their own: to a new leader the
// worker repeats these, and not all it runs.
type unackedReport struct {
	method, task string
	// placement is the number of the placement that it ends, so that a
	// repeated report ends no later one of the same task; 0 is any.
	placement uint64
	// beat is the last keep-alive that was sent before it.
	beat uint64
	// oks counts later keep-alives that were answered.
	oks int
}

// certain is how many answered keep-alives prove that a report sent before them
// arrived. Requests of one connection arrive in order, so one would do;
// but that a connection broke and was made again may become known a little
// after the fact.
const certain = 2

// unackedReports are in the order in which they were sent.
type unackedReports struct{ waiting []unackedReport }

// add keeps a report. A task may be laid down and then rejected, which gives up
// the reservation that it had from being laid down: both reports must arrive.
func (f *unackedReports) add(one unackedReport) {
	f.waiting = slices.DeleteFunc(f.waiting, func(w unackedReport) bool { return w.task == one.task && w.method == one.method })
	f.waiting = append(f.waiting, one)
}

// cancel forgets the reports of a task that the worker has again.
func (f *unackedReports) cancel(task string) {
	f.waiting = slices.DeleteFunc(f.waiting, func(w unackedReport) bool { return w.task == task })
}

// heard counts a keep-alive that was answered.
func (f *unackedReports) heard(beat uint64) {
	for i := range f.waiting {
		if w := &f.waiting[i]; beat > w.beat {
			w.oks++
		}
	}
	f.waiting = slices.DeleteFunc(f.waiting, func(w unackedReport) bool { return w.oks >= certain })
}

// markUnacked is for a connection that broke, or another manager: reports up to
// this keep-alive may be lost.
func (f *unackedReports) markUnacked(beat uint64) {
	for i := range f.waiting {
		f.waiting[i].oks, f.waiting[i].beat = 0, beat
	}
}

// cast is the report as it is sent.
func (f unackedReport) cast(worker string) cast {
	if f.placement == 0 {
		return cast{f.method, []any{worker, f.task}}
	}
	return cast{f.method, []any{worker, f.task, f.placement}}
}

// placement is the one of a task that was ended last, 0 where that is not known.
func (f *unackedReports) placement(task string) uint64 {
	for _, w := range slices.Backward(f.waiting) {
		if w.task == task {
			return w.placement
		}
	}
	return 0
}

// tasks are those that they are of.
func (f *unackedReports) tasks() []string {
	var tasks []string
	for _, w := range f.waiting {
		tasks = append(tasks, w.task)
	}
	return tasks
}

// again is what it takes to tell them once more.
func (f *unackedReports) again(worker string) []action {
	var out []action
	for _, w := range f.waiting {
		out = append(out, w.cast(worker))
	}
	return out
}

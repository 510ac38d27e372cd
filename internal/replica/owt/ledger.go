package owt

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// ledger is a copy of the state, together with what OWT's JSON contains and the
// state does not: the order in which purposes and tasks appeared, and the tasks'
// reserve times.
type ledger struct {
	state    *state.State
	purposes []string
	tasks    map[string]map[string]entry // by purpose and name
	entries  uint64                      // how many were ever made
}

type entry struct {
	order   uint64
	reserve int64 // milliseconds, or noReserve
}

func newLedger(cfg state.Config) *ledger {
	return &ledger{state: state.New(cfg), tasks: map[string]map[string]entry{}}
}

// apply applies a command and updates the ledger.
func (l *ledger) apply(cmd state.Command) (state.Result, []muster.Event) {
	result, events := l.state.Apply(cmd)
	for _, ev := range events {
		l.note(ev)
	}
	return result, events
}

// fold applies an event and updates the ledger.
func (l *ledger) fold(at muster.Instant, ev muster.Event) {
	l.state.Fold(at, ev)
	l.note(ev)
}

func (l *ledger) note(ev muster.Event) {
	switch e := ev.(type) {
	case muster.WorkerJoined:
		l.purpose(e.Purpose)
	case muster.TaskReserved:
		l.enter(e.Purpose, e.Task, e.ReserveMillis)
	case muster.TaskPickedUp:
		if _, known := l.tasks[e.Purpose][e.Task]; !known {
			l.enter(e.Purpose, e.Task, noReserve)
		}
	case muster.TaskLaidDown:
		if l.tasks[e.Purpose][e.Task].reserve == noReserve {
			l.enter(e.Purpose, e.Task, l.state.Config().ReserveMillis)
		}
	case muster.PurposeForgotten:
		delete(l.tasks, e.Purpose)
		l.purposes = slices.DeleteFunc(l.purposes, func(name string) bool { return name == e.Purpose })
	case muster.TaskReleased:
		delete(l.tasks[e.Purpose], e.Task)
	}
}

// purpose adds a purpose unless it is known.
func (l *ledger) purpose(name string) {
	if l.tasks[name] == nil {
		l.tasks[name] = map[string]entry{}
		l.purposes = append(l.purposes, name)
	}
}

// enter records a task's reserve time. A new task comes last.
func (l *ledger) enter(purpose, task string, reserve int64) {
	l.purpose(purpose)
	e, known := l.tasks[purpose][task]
	if !known {
		l.entries++
		e.order = l.entries
	}
	e.reserve = reserve
	l.tasks[purpose][task] = e
}

// runtimeJSON returns the state in OWT's format. It includes for how long each
// worker has been silent, which is 0 because a new master starts from there.
func (l *ledger) runtimeJSON() []byte {
	dst := appendName([]byte("{"), "schedulers")
	dst = appendList(dst, "{}", l.purposes, l.appendScheduler)
	dst = appendName(append(dst, ','), "workers")
	dst = appendList(dst, "{}", l.state.Workers(state.AllPurposes), func(dst []byte, id string) []byte {
		purpose, _ := l.state.PurposeOf(id)
		dst = appendName(append(appendName(dst, id), '{'), "purpose")
		return append(appendString(dst, purpose), `,"alive_count":0}`...)
	})
	return append(dst, '}')
}

func (l *ledger) appendScheduler(dst []byte, purpose string) []byte {
	dst = append(appendName(dst, purpose), `{"workers":`...)
	dst = appendList(dst, "{}", l.state.Workers(purpose), l.appendWorker)
	dst = append(dst, `,"tasks":`...)
	dst = appendList(dst, "{}", l.tasksOf(purpose), l.appendTask)
	return append(dst, '}')
}

func (l *ledger) appendWorker(dst []byte, id string) []byte {
	w, _ := l.state.Worker(id)
	dst = append(appendName(dst, id), '{')
	if w.State != muster.StateUnreported {
		dst = append(strconv.AppendInt(append(dst, `"state":`...), int64(w.State), 10), ',')
	}
	dst = appendFloat(append(dst, `"load":`...), w.Load)
	dst = append(append(dst, `,"info":`...), json.RawMessage(infoJSON(w.Info))...)
	dst = appendList(append(dst, `,"tasks":`...), "[]", w.Tasks, appendString)
	return append(dst, '}')
}

func (l *ledger) appendTask(dst []byte, t state.Task) []byte {
	dst = append(appendName(dst, t.Task), '{')
	if e := l.tasks[t.Purpose][t.Task]; e.reserve != noReserve {
		dst = append(strconv.AppendInt(append(dst, `"reserve_time":`...), e.reserve, 10), ',')
	}
	return append(appendString(append(dst, `"worker":`...), t.Worker), '}')
}

// tasksOf returns the tasks of a purpose, oldest first.
func (l *ledger) tasksOf(purpose string) []state.Task {
	tasks, book := l.state.AllTasks(purpose), l.tasks[purpose]
	slices.SortFunc(tasks, func(a, b state.Task) int { return cmp.Compare(book[a.Task].order, book[b.Task].order) })
	return tasks
}

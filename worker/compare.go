package worker

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/muster-fleet/muster"
)

// compareBeats is how many keep-alives are between two looks at what the
// manager takes this worker to run. A look costs a call; until the next one the
// manager may be wrong.
const compareBeats = 12

// checkArg is the second argument of checkWorker.
type checkArg struct {
	Incarnation string   `json:"incarnation,omitempty"`
	Tasks       []string `json:"tasks,omitempty"`
}

// standing is the answer to checkWorker.
type standing struct {
	Tasks []string
	// Placements are the numbers by which the tasks are laid down; none from an
	// older manager.
	Placements []uint64
	Elsewhere  []string
	Replaced   bool
}

// placement is the number of the i-th task, 0 where it is not known.
func (s *standing) placement(i int) uint64 {
	if i < len(s.Placements) {
		return s.Placements[i]
	}
	return 0
}

// unsupported is the refusal of a manager of OWT's, or of an older one.
func unsupported(err error) bool { return errors.Is(err, muster.ReasonUnsupported) }

// tasksAnswered handles the outcome of callTasks: the tasks that this worker
// runs according to the manager. They differ from its own only where the queue
// delivered one of its reports to the next manager late, after newer ones; then
// it is repeated. An answer that is older than the last change is ignored.
//
// A manager that does not know checkWorker is asked with getTasks, whose answer
// is a list.
func (m *machine) tasksAnswered(changes int, answer string, err error) {
	if unsupported(err) && !m.plain {
		m.plain = true
		m.loaded()
		m.emit(callTasks{changes: changes, plain: true})
		return
	}
	var known standing
	switch {
	case err != nil || m.phase != joined:
		return
	case json.Unmarshal([]byte(answer), &known.Tasks) == nil:
	case json.Unmarshal([]byte(answer), &known) != nil:
		return
	case known.Replaced:
		m.replaced()
		return
	}
	if m.resync || changes != m.changes {
		return
	}
	for i, task := range known.Tasks {
		if !slices.Contains(m.tasks, task) && m.claims[task] == 0 {
			m.say("layDownTask", task, known.placement(i))
		}
	}
	missing := slices.DeleteFunc(slices.Clone(m.tasks), func(task string) bool { return slices.Contains(known.Tasks, task) })
	switch {
	case len(missing) == 0:
		m.loaded()
	case m.plain || answer[0] == '[':
		m.tellTasks(missing)
	default:
		m.emit(callElsewhere{m.changes, missing})
	}
}

// elsewhereAnswered handles the outcome of callElsewhere: which of the tasks that
// the manager does not have here another worker has. Those are dropped, since a
// task is on one worker; the others are reported once more.
func (m *machine) elsewhereAnswered(changes int, asked []string, answer string, err error) {
	var found standing
	if err != nil || m.phase != joined || m.resync || changes != m.changes || json.Unmarshal([]byte(answer), &found) != nil {
		return
	}
	m.drop(found.Elsewhere)
	left := slices.DeleteFunc(slices.Clone(asked), func(task string) bool { return slices.Contains(found.Elsewhere, task) })
	if len(left) > 0 {
		m.tellTasks(left)
	}
}

// loaded lets the load be reported again.
func (m *machine) loaded() {
	if m.unloaded {
		m.unloaded = false
		m.tellLoad()
	}
}

// drop gives tasks up that another worker has.
func (m *machine) drop(tasks []string) {
	if len(tasks) == 0 {
		return
	}
	m.changes++
	m.tasks = slices.DeleteFunc(m.tasks, func(task string) bool { return slices.Contains(tasks, task) })
	for _, task := range tasks {
		m.pickups.cancel(task)
		delete(m.numbers, task)
	}
	m.report.due = true
	m.dropped(tasks)
}

// dropped has the program end tasks. Each keeps its slot until OnTasksDropped
// has returned.
func (m *machine) dropped(tasks []string) {
	for _, task := range tasks {
		m.endedMeanwhile(task)
	}
	m.dropping += len(tasks)
	m.emit(happenedDropped{tasks})
}

package worker

import (
	"encoding/json"
	"slices"
)

// compareBeats is how many keep-alives are between two looks at what the
// manager takes this worker to run. A look costs a call; until the next one the
// manager may be wrong.
const compareBeats = 12

// tasksAnswered is what came of a callTasks: the tasks that the manager takes
// this worker to run. They are those that it told, unless a queue handed one of
// its words to the next manager late, after newer ones: then it is told again.
// An answer that is older than the last change says nothing.
func (m *machine) tasksAnswered(changes int, answer string, err error) {
	var known []string
	if err != nil || m.phase != joined || m.resync || changes != m.changes || json.Unmarshal([]byte(answer), &known) != nil {
		return
	}
	for _, task := range known {
		if !slices.Contains(m.tasks, task) {
			m.say("layDownTask", task)
		}
	}
	missing := slices.DeleteFunc(slices.Clone(m.tasks), func(task string) bool { return slices.Contains(known, task) })
	m.tellTasks(missing)
}

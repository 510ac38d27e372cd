package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// TestWordsThatArriveLateAreMended: a queue that hands what a leader held to the
// next one may do so after newer words: then the manager is wrong about the
// tasks until the worker looks. (Found by the simulation: a task ran for ever.)
func TestWordsThatArriveLateAreMended(t *testing.T) {
	s := started(t)
	for range compareBeats - 1 {
		s.alive("ok", nil)
	}
	s.m.add([]string{"a", "b"})
	s.wants("pickUpTasks[[a b]]")
	s.m.tick()
	s.wants("alive12", "tasks?")
	asked := s.m.changes
	s.m.tasksAnswered(asked, "", context.DeadlineExceeded)
	s.m.tasksAnswered(asked, `["a","b"]`, nil)
	s.wants()
	s.m.tasksAnswered(asked, `["c","a"]`, nil)
	s.wants("layDownTask[c]", "pickUpTasks[[b]]")
	s.m.remove("a")
	s.wants("layDownTask[a]")
	s.m.tasksAnswered(asked, `["a","b"]`, nil) // of before the last change
	s.wants()
}

// A worker with very many tasks reports them in messages that a manager takes.
func TestManyTasksAreToldInParts(t *testing.T) {
	many := make([]string, 2*tasksAtOnce+1)
	for i := range many {
		many[i] = strings.Repeat("x", muster.MaxTask-8) + fmt.Sprintf("%08d", i)
	}
	m := machine{id: "w", phase: joined, tasks: many}
	m.tellTasks(many)
	reported := 0
	for _, a := range m.actions {
		c, ok := a.(cast)
		if !ok {
			continue
		}
		args, err := bus.EncodeArgs(c.args...)
		if err != nil {
			t.Fatal(err)
		}
		if size := len(args[0]) + len(args[1]); size > muster.MaxBody {
			t.Errorf("a message has %d bytes", size)
		}
		reported += len(c.args[1].([]string))
	}
	if reported != len(many) {
		t.Errorf("%d tasks are reported as %d", reported, len(many))
	}
}

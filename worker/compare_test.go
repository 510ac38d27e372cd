package worker

import (
	"context"
	"testing"
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

package node

import (
	"testing"

	"github.com/muster-fleet/muster"
)

func TestStatusNamesWhatRuns(t *testing.T) {
	d := &taskTable{opts: Options{}.withDefaults(), jobs: map[string]*job{}}
	add := func(task string, state muster.TaskState, share float64) {
		j := &job{table: d, now: muster.TaskReport{Task: task, State: state}}
		j.report(Progress{Share: share})
		d.jobs[task] = j
	}
	if got := d.status(); got != "" {
		t.Errorf("got %q of an idle node", got)
	}
	add("b", muster.TaskRunning, 0.444)
	add("a", muster.TaskRunning, -1)
	add("c", muster.TaskDone, 1)
	if got, want := d.status(), "a, b 44 %"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, task := range []string{"d", "e", "f"} {
		add(task, muster.TaskRunning, 0)
	}
	if got, want := d.status(), "a, b 44 %, d 0 %, e 0 %, and 1 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package systemtest

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/client"
)

// A drain with a deadline, followed by a process: the leader is killed as soon as the
// drain has begun. The next leader keeps the deadline, hands the tasks back, and the
// process that follows ends well when the last caller has moved its task.
func TestDrainOutlivesTheLeader(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{fleet: workers})
		r.load.End()
		id, tasks := r.busiest()
		ctx, stop := context.WithCancel(r.ctx)
		watching := make(chan error, 1)
		go func() {
			watching <- r.client.WatchHandBacks(ctx, purpose, func(h client.HandBack) {
				if on, err := r.schedule(h.Task); err != nil || on == id {
					r.Errorf("%s was handed back, and is on %s: %v", h.Task, on, err)
				}
			})
		}()
		follower := exec.CommandContext(r.ctx, program, "drain", id, "--follow", "--deadline", "1s", "--policy", "hand-back",
			"--url", r.url, "--cluster", r.name)
		out, err := follower.StderrPipe()
		r.must(err)
		var last strings.Builder
		follower.Stdout = &last
		r.must(follower.Start())
		lines := bufio.NewScanner(out)
		if !lines.Scan() || !strings.Contains(lines.Text(), "tasks left") {
			t.Fatalf("the follower says %q", lines.Text())
		}
		leader := r.leader()
		r.Kill(leader)
		_, err = r.AwaitLeader(r.ctx, leader)
		r.must(err)
		fresh, err := r.schedule("placed-after-the-drain")
		r.must(err)
		if fresh == id {
			t.Errorf("a new task is on the drained worker")
		}
		for lines.Scan() {
			t.Log(lines.Text())
		}
		r.must(follower.Wait())
		if !strings.Contains(last.String(), "empty") {
			t.Errorf("the follower ended with %q", last.String())
		}
		stop()
		r.must(<-watching)
		for _, task := range tasks {
			if on, err := r.look(task); err != nil || on == id {
				t.Errorf("%s is on %s: %v", task, on, err)
			}
		}
		drains, err := r.client.Drains(r.ctx)
		r.must(err)
		if len(drains) != 1 || drains[0].State != muster.DrainEmpty || !drains[0].Overdue || drains[0].Total != len(tasks) {
			t.Errorf("%d tasks, and %+v", len(tasks), drains)
		}
	})
}

// busiest returns the worker with the most tasks.
func (r *rig) busiest() (id string, tasks []string) {
	r.Helper()
	list, err := r.client.ListTasks(r.ctx, purpose)
	r.must(err)
	on := map[string][]string{}
	for _, task := range list {
		on[task.Worker] = append(on[task.Worker], task.Task)
	}
	for worker := range on {
		if len(on[worker]) > len(tasks) {
			id, tasks = worker, on[worker]
		}
	}
	if id == "" {
		r.Fatal("no worker has a task")
	}
	return id, tasks
}

package node

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-fleet/muster"
)

// mostNamed is how many tasks a status names.
const mostNamed = 4

// updateStatus sends the agent a one-line status, which `muster nodes` shows.
func (d *taskTable) updateStatus() {
	if d.opts.status != nil {
		d.opts.status(d.status())
	}
}

func (d *taskTable) status() string {
	d.mu.Lock()
	jobs := maps.Clone(d.jobs)
	d.mu.Unlock()
	var running []string
	for _, task := range slices.Sorted(maps.Keys(jobs)) {
		if r := jobs[task].snapshot(); r.State == muster.TaskRunning {
			running = append(running, line(r))
		}
	}
	if more := len(running) - mostNamed; more > 0 {
		running = append(running[:mostNamed], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(running, ", ")
}

// line returns the name of a task, with its progress if known.
func line(r muster.TaskReport) string {
	if r.Progress == nil {
		return r.Task
	}
	return fmt.Sprintf("%s %.0f %%", r.Task, *r.Progress*100)
}

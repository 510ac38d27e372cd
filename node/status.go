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

// say tells the agent in a line what the node does, as `muster nodes` shows.
func (d *desk) say() {
	if d.opts.status != nil {
		d.opts.status(d.status())
	}
}

func (d *desk) status() string {
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

// line is a task, and how far it is where that is known.
func line(r muster.TaskReport) string {
	if r.Progress == nil {
		return r.Task
	}
	return fmt.Sprintf("%s %.0f %%", r.Task, *r.Progress*100)
}

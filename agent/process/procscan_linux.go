package process

import (
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/muster-fleet/muster/agent/process/internal/proctab"
)

// table is the processes of the machine, with the marks of those that may be
// ours.
type table struct {
	all   []proctab.Process
	marks map[int][]string // by process number
	// unsettled reports that the mark of some process could not be read yet.
	unsettled bool
	err       error
}

// readTable reads the marks of processes that began at since or later: those
// that a host has started are younger than itself.
func readTable(since uint64) table {
	t := table{marks: map[int][]string{}}
	t.all, t.err = proctab.List()
	for _, p := range t.all {
		if p.Alive() && p.Start >= since {
			var settled bool
			t.marks[p.PID], settled = marksOf(p.PID)
			t.unsettled = t.unsettled || !settled
		}
	}
	return t
}

func marksOf(pid int) (marks []string, settled bool) {
	text, settled := proctab.Variable(pid, varMark)
	if text == "" {
		return nil, settled
	}
	return strings.Split(text, ":"), settled
}

// with returns the living processes that belong says, and all that descend
// from them. It never has this process, nor those that this one descends from.
func (t table) with(belongs func(proctab.Process) bool) []proctab.Process {
	spare := t.ancestry()
	ours := func(p proctab.Process) bool { return !spare[p.PID] && belongs(p) }
	some := slices.DeleteFunc(slices.Clone(t.all), func(p proctab.Process) bool { return !ours(p) })
	return slices.DeleteFunc(proctab.WithDescendants(t.all, some), func(p proctab.Process) bool {
		return !p.Alive() || spare[p.PID]
	})
}

// ancestry is this process and those that it descends from. An agent may be
// started from a node of the one before, and has its mark then.
func (t table) ancestry() map[int]bool {
	parent := make(map[int]int, len(t.all))
	for _, p := range t.all {
		parent[p.PID] = p.Parent
	}
	line := map[int]bool{}
	for pid := os.Getpid(); pid > 0 && !line[pid]; pid = parent[pid] {
		line[pid] = true
	}
	return line
}

// procScan reads the table for all who ask at the same time.
type procScan struct {
	since uint64

	reading sync.Mutex
	mu      sync.Mutex
	next    *count
}

// count is one reading of the table.
type count struct {
	done  bool
	table table
}

// take returns a table that was read after the call. Those who call while one
// is being read share the next.
func (c *procScan) take() table {
	mine := c.join()
	c.reading.Lock()
	defer c.reading.Unlock()
	if !mine.done {
		c.mu.Lock()
		c.next = nil // who comes from here on is too late for this one
		c.mu.Unlock()
		mine.table = readTable(c.since)
		mine.done = true
	}
	return mine.table
}

func (c *procScan) join() *count {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = &count{}
	}
	return c.next
}

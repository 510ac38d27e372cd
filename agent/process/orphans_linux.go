package process

import (
	"slices"
	"strings"
	"time"

	"github.com/muster-fleet/muster/agent/process/internal/cgroup"
	"github.com/muster-fleet/muster/agent/process/internal/proctab"
)

// orphans finds what an earlier host of the directory has left running.
type orphans struct {
	id      string // of the directory
	records []record
}

// endOrphans kills what is left of an earlier host, and returns how many
// processes that were. The host holds the lock: all that carries the
// directory's mark has lost its host.
func (h *Host) endOrphans(records []record) int {
	o := orphans{id: h.id, records: slices.DeleteFunc(records, func(r record) bool {
		return r.Boot == "" || r.Boot != h.platform.boot // the machine was started anew: they are gone
	})}
	ended := map[proctab.Process]bool{}
	killer := processTree{log: h.opts.Logger}
	began := time.Now()
	for wait := firstWait; ; wait = min(2*wait, mostWait) {
		t := readTable(0)
		left := o.find(t)
		for _, p := range left {
			ended[proctab.Process{PID: p.PID, Start: p.Start}] = true
		}
		over := len(killer.kill(left)) == len(left) && (!t.unsettled || time.Since(began) > settling)
		if over || time.Since(began) > patience {
			break
		}
		time.Sleep(wait)
	}
	o.removeGroups()
	h.openGroups()
	return len(ended)
}

func (o orphans) find(t table) []proctab.Process {
	sessions := o.sessions(t)
	grouped := o.grouped()
	return t.with(func(p proctab.Process) bool {
		return o.marked(t.marks[p.PID]) || sessions[p.Session] || grouped[p.PID] || o.recorded(p)
	})
}

func (o orphans) marked(marks []string) bool {
	return slices.ContainsFunc(marks, func(m string) bool { return strings.HasPrefix(m, o.id+".") })
}

// recorded reports that p is the first process of a node: the same number, and
// the same start.
func (o orphans) recorded(p proctab.Process) bool {
	return slices.ContainsFunc(o.records, func(r record) bool {
		return r.PID == p.PID && r.Start == p.Start
	})
}

// sessions are those of nodes. That the number was a node's is not enough: the
// node may be gone, and the number another's. A member that is surely ours says
// that the session is, since the kernel gives no number away that is in use.
func (o orphans) sessions(t table) map[int]bool {
	ours := map[int]bool{}
	for _, p := range t.all {
		node := slices.ContainsFunc(o.records, func(r record) bool { return r.PID == p.Session })
		if node && (o.marked(t.marks[p.PID]) || o.recorded(p)) {
			ours[p.Session] = true
		}
	}
	return ours
}

// grouped are the processes in control groups of nodes.
func (o orphans) grouped() map[int]bool {
	pids := map[int]bool{}
	for _, g := range o.groups() {
		for _, pid := range g.Processes() {
			pids[pid] = true
		}
	}
	return pids
}

// groups are those that records tell of and whose name is one of ours.
func (o orphans) groups() []cgroup.Group {
	var all []cgroup.Group
	for _, r := range o.records {
		if strings.Contains(r.Group, "-"+o.id[:8]+"/") {
			all = append(all, cgroup.At(r.Group))
		}
	}
	return all
}

func (o orphans) removeGroups() {
	for _, g := range o.groups() {
		_ = g.Remove() // one that stays is empty, and is taken again
	}
}

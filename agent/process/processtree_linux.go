package process

import (
	"errors"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"github.com/muster-fleet/muster/agent/process/internal/cgroup"
	"github.com/muster-fleet/muster/agent/process/internal/proctab"
)

// processTree is everything that belongs to a node: its control group, or its session,
// those who carry its mark, and all that descend from them.
type processTree struct {
	procScan *procScan
	log      *slog.Logger
	boot     string
	mark     string
	// first is the first process. It is not waited for before the others are
	// gone, so that its number stays its own, as a process and as a session.
	first proctab.Process
	group *cgroup.Group
}

func (k *processTree) record() record {
	r := record{PID: k.first.PID, Start: k.first.Start, Boot: k.boot}
	if k.group != nil {
		r.Group = k.group.Dir()
	}
	return r
}

// ask asks the first process to end, or all of its process group. Those that
// were stopped go on, so that they hear it.
func (k *processTree) ask(whole bool) {
	target := k.first.PID
	if whole {
		target = -target
	}
	_ = syscall.Kill(target, syscall.SIGTERM) // it may have ended
	_ = syscall.Kill(target, syscall.SIGCONT)
}

// strike kills all that can be found now. What is started meanwhile may
// escape: end goes on.
func (k *processTree) strike() {
	if k.group != nil {
		if err := k.group.Kill(); err != nil {
			k.log.Error("control group not killed", "err", err)
		}
		return
	}
	left, _ := k.left() // first: who has lost its parents is harder to find
	_ = syscall.Kill(-k.first.PID, syscall.SIGKILL)
	k.kill(left)
}

// left finds the processes that are alive. It is not sure where the owner of a
// process is unknown.
func (k *processTree) left() (all []proctab.Process, sure bool) {
	t := k.procScan.take()
	if t.err != nil {
		k.log.Error("table of processes not read", "err", t.err)
	}
	return t.with(k.owns(t)), !t.unsettled
}

// owns returns which processes of a table are the node's own.
func (k *processTree) owns(t table) func(proctab.Process) bool {
	return func(p proctab.Process) bool {
		return p.Start >= k.first.Start &&
			(p.Session == k.first.PID || slices.Contains(t.marks[p.PID], k.mark))
	}
}

// kill kills processes, and returns those that it may not kill.
func (k *processTree) kill(all []proctab.Process) (spared []proctab.Process) {
	for _, p := range all {
		if err := proctab.Kill(p); err != nil {
			k.log.Error("process of an ended node not killed", "pid", p.PID, "err", err)
			spared = append(spared, p)
		}
	}
	return spared
}

// Waiting for what was killed: a process that the kernel holds, on a disk that
// does not answer, ends when it is let go.
const (
	firstWait = time.Millisecond
	mostWait  = 100 * time.Millisecond
	patience  = 10 * time.Second // until it is logged
	// settling is how long a process without an environment may be one that is
	// about to have one.
	settling = 100 * time.Millisecond
)

// end kills until nothing is left but the first process, which has ended.
func (k *processTree) end() {
	began, logged := time.Now(), false
	for wait := firstWait; !k.extinct(time.Since(began) > settling); wait = min(2*wait, mostWait) {
		if time.Since(began) > patience && !logged {
			logged = true
			k.log.Error("processes of an ended node do not end", "session", k.first.PID)
		}
		time.Sleep(wait)
	}
}

// extinct reports that nothing is left, or kills what is. What the host has no
// right to kill it does not wait for; nor, once it is late, for a process of
// unknown owner, which most likely belongs to something else.
func (k *processTree) extinct(late bool) bool {
	if k.group == nil {
		left, sure := k.left()
		return len(left) == len(k.kill(left)) && (sure || late)
	}
	empty, err := k.group.Empty()
	if err == nil && !empty {
		err = k.group.Kill()
	}
	if err != nil {
		k.log.Error("control group not ended", "err", err)
	}
	return empty
}

func (k *processTree) outOfMemory() bool { return k.group != nil && k.group.OutOfMemory() }

// has reports that a process is one of the node's.
func (k *processTree) has(pid int) bool {
	if pid == k.first.PID {
		return true
	}
	p, err := proctab.Read(pid)
	if err != nil {
		return false
	}
	marks, _ := marksOf(pid)
	return p.Session == k.first.PID || slices.Contains(marks, k.mark) ||
		k.group != nil && slices.Contains(k.group.Processes(), pid)
}

// release gives back what the node's start took.
func (k *processTree) release() {
	if k.group == nil {
		return
	}
	// The kernel may still be at it when the last process is just gone.
	var err error
	for wait := firstWait; wait < mostWait; wait *= 2 {
		if err = k.group.Remove(); !errors.Is(err, syscall.EBUSY) {
			break
		}
		time.Sleep(wait)
	}
	if err != nil {
		k.log.Warn("control group of a node not removed", "err", err)
	}
}

//go:build unix && !linux

package process

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/process"
)

// platform has nothing here: a node is the session's process groups that can be
// named, which is the first.
type platform struct{ boot string }

func (h *Host) openRealm() error {
	h.platform.boot = "booted"
	if at, err := host.BootTime(); err == nil {
		h.platform.boot = time.Unix(int64(at), 0).UTC().Format(time.RFC3339)
	}
	if h.opts.Limits.some() {
		h.opts.Logger.Warn("limits do not hold: this system has no control groups")
	}
	return nil
}

func (h *Host) closeRealm() {}

// endOrphans kills the process groups whose first process is still the one
// that was recorded.
func (h *Host) endOrphans(records []record) int {
	ended := 0
	for _, r := range records {
		if r.Boot == h.platform.boot && r.Start != 0 && startOf(r.PID) == r.Start && syscall.Kill(-r.PID, syscall.SIGKILL) == nil {
			ended++
		}
	}
	return ended
}

// startOf is when a process began, in milliseconds since 1970; 0 is unknown.
func startOf(pid int) uint64 {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0
	}
	at, err := p.CreateTime()
	if err != nil {
		return 0
	}
	return uint64(at)
}

// processTree is a process group.
type processTree struct {
	pid   int
	start uint64
	boot  string
}

func (k *processTree) record() record { return record{PID: k.pid, Start: k.start, Boot: k.boot} }

func (k *processTree) ask(whole bool) {
	target := k.pid
	if whole {
		target = -target
	}
	_ = syscall.Kill(target, syscall.SIGTERM)
	_ = syscall.Kill(target, syscall.SIGCONT)
}

func (k *processTree) strike() { _ = syscall.Kill(-k.pid, syscall.SIGKILL) }

// end kills until the group is empty.
func (k *processTree) end() {
	for wait := time.Millisecond; !errors.Is(syscall.Kill(-k.pid, syscall.SIGKILL), syscall.ESRCH); wait = min(2*wait, 100*time.Millisecond) {
		time.Sleep(wait)
	}
}

func (k *processTree) outOfMemory() bool { return false }

// has accepts every sender: other users cannot enter the directory of the socket.
func (k *processTree) has(int) bool { return true }

// Senders are not known: only the agent's user may send.
const (
	socketDirMode = 0o700
	socketMode    = 0o700
)

func askForSenders(*net.UnixConn) error { return nil }

func sender([]syscall.SocketControlMessage) (int, bool) { return 0, false }

func (n *node) fork(*undo) error {
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	n.user.become(n.cmd.SysProcAttr)
	var err error
	n.host.launcher.Do(func() { err = n.cmd.Start() })
	if err != nil {
		return err
	}
	n.exit = exit{cmd: n.cmd, ended: new(error)}
	n.processTree = processTree{pid: n.cmd.Process.Pid, start: startOf(n.cmd.Process.Pid), boot: n.host.platform.boot}
	return nil
}

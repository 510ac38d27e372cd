package process

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/muster-fleet/muster/agent/process/internal/cgroup"
	"github.com/muster-fleet/muster/agent/process/internal/proctab"
)

// fork starts the command, in a control group of its own where it can have
// one. Where it fails nothing runs.
func (n *node) fork(back *undo) error {
	group := n.makeGroup()
	err := n.forkIn(group)
	if group != nil && refused(err) {
		if bare := n.forkIn(nil); bare == nil {
			n.host.opts.Logger.Warn("node not started in a control group: running without", "node", n.spec.ID, "err", err)
			_ = group.Remove()
			group, err = nil, nil
		}
	}
	if err != nil {
		if group != nil {
			_ = group.Remove()
		}
		return err
	}
	n.processTree.group = group
	back.add(n.processTree.release)
	return nil
}

// refused reports an error that may be about the group, not the program.
func refused(err error) bool {
	for _, e := range []error{syscall.ENOSYS, syscall.EINVAL, syscall.EPERM, syscall.EACCES, syscall.EBUSY, syscall.EOPNOTSUPP, syscall.E2BIG} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (n *node) makeGroup() *cgroup.Group {
	if n.host.platform.group == nil {
		return nil
	}
	group, err := n.host.platform.group.Make(n.spec.ID)
	if err == nil {
		err = group.Limit(n.host.opts.Limits.MemoryBytes, n.host.opts.Limits.CPUs)
	}
	if err != nil {
		n.host.opts.Logger.Warn("node has no control group", "node", n.spec.ID, "err", err)
		return nil
	}
	return &group
}

// forkIn starts the command. An attempt that failed leaves the command as it
// was.
func (n *node) forkIn(group *cgroup.Group) error {
	cmd := *n.cmd
	pidfd := -1
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:    true,
		Pdeathsig: syscall.SIGKILL, // bound to the launcher's thread
		PidFD:     &pidfd,
	}
	n.user.become(cmd.SysProcAttr)
	if group != nil {
		dir, err := group.Open()
		if err != nil {
			return err
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	}
	var err error
	n.host.launcher.Do(func() { err = cmd.Start() })
	if err != nil {
		if pidfd >= 0 {
			_ = syscall.Close(pidfd)
		}
		return err
	}
	*n.cmd = cmd
	n.exit = newExit(n.cmd, pidfd)
	n.processTree = processTree{procScan: &n.host.platform.procScan, log: n.log, boot: n.host.platform.boot, mark: n.mark}
	n.processTree.first, err = proctab.Read(cmd.Process.Pid)
	n.processTree.first.PID = cmd.Process.Pid
	return nil
}

// exit is the end of a node's first process.
type exit struct {
	cmd *exec.Cmd
	// held is readable once the process has ended; nil where the kernel has
	// no such thing (before 5.3).
	held *os.File
}

func newExit(cmd *exec.Cmd, pidfd int) exit {
	e := exit{cmd: cmd}
	if pidfd >= 0 && syscall.SetNonblock(pidfd, true) == nil {
		e.held = os.NewFile(uintptr(pidfd), "pidfd")
	}
	return e
}

// wait returns when the process has ended. It leaves it as it is, for status:
// until then its process id is not reused.
func (e exit) wait() {
	if e.held != nil {
		conn, err := e.held.SyscallConn()
		if err == nil {
			// No thread waits here, as it would in a call of the system.
			err = conn.Read(func(uintptr) bool { return e.over(unix.WNOHANG) })
		}
		if err == nil {
			return
		}
	}
	e.over(0)
}

// over reports that the process has ended.
func (e exit) over(flags int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, e.cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT|flags, nil)
		if !errors.Is(err, unix.EINTR) {
			return err != nil || info.Signo == int32(unix.SIGCHLD)
		}
	}
}

// status says how the process ended, which it has.
func (e exit) status() error {
	if e.held != nil {
		_ = e.held.Close()
	}
	return e.cmd.Wait()
}

package childproc

import (
	"os/exec"
	"syscall"
)

// bind has the kernel kill the process when the thread that starts it ends.
func bind(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr.Setpgid = true }

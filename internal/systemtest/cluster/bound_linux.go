package cluster

import "syscall"

// bound makes a process end when the thread ends that started it, and keeps the
// Ctrl-C of the terminal from it.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

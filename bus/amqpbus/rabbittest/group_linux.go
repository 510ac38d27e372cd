package rabbittest

import "syscall"

// ownGroup puts the broker into a process group of its own, and has the kernel
// kill it when its parent ends in whatever way.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

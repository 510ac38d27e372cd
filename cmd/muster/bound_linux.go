package main

import "syscall"

// bound makes a process end with its parent, even where that is killed, and
// keeps the Ctrl-C of the terminal from it: the parent ends it in good order.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

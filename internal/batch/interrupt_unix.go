//go:build unix

package batch

import "syscall"

// interrupt asks a process to end.
func interrupt(pid int) error { return syscall.Kill(pid, syscall.SIGINT) }

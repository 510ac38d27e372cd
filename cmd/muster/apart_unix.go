//go:build unix

package main

import "syscall"

// apart keeps a process from what ends its parent: signals of the terminal, and
// its closing.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

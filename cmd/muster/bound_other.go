//go:build !linux

package main

import "syscall"

// bound leaves a process in the group of its parent, so that the terminal's
// Ctrl-C reaches both. Where the parent is killed, the process stays.
func bound() *syscall.SysProcAttr { return nil }

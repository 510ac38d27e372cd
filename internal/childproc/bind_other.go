//go:build !linux

package childproc

import "os/exec"

// bind does nothing: no other system ends a process with its parent.
func bind(*exec.Cmd) {}

func ownGroup(*exec.Cmd) {}

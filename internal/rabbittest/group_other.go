//go:build unix && !linux

package rabbittest

import "syscall"

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitHalt cannot look elsewhere.
func awaitHalt(int) error { return nil }

//go:build !linux

package cluster

import "syscall"

func bound() *syscall.SysProcAttr { return nil }

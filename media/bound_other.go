//go:build !linux

package media

import "syscall"

// bound leaves ffmpeg in the group of the node, which the agent ends as a
// whole. Where the node alone is killed, ffmpeg ends when it next writes its
// progress.
func bound() *syscall.SysProcAttr { return nil }

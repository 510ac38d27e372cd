//go:build !linux

package media

import "syscall"

// bound leaves ffmpeg in the group of the node, which the agent ends as a
// whole. Where the node alone is killed, ffmpeg is left to the agent.
func bound() *syscall.SysProcAttr { return nil }

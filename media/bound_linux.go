package media

import "syscall"

// bound makes ffmpeg end with the node, even where that is killed. It stays in
// the group of the node, which the agent ends as a whole.
func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

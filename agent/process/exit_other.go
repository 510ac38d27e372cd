//go:build !linux

package process

import "os/exec"

// exit is the end of a node's first process.
type exit struct {
	cmd   *exec.Cmd
	ended *error
}

func (e exit) wait()         { *e.ended = e.cmd.Wait() }
func (e exit) status() error { return *e.ended }

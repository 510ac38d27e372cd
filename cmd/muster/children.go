package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/muster-fleet/muster/internal/childproc"
)

// stopTime is how long a process may take to end before it is killed.
const stopTime = 6 * time.Second

// childSpec is a process to run: this program, with other arguments.
type childSpec struct {
	name, purpose string
	args          []string
	env           []string // beside that of this process
}

// child is a process that was started.
type child struct {
	childSpec
	pid int
}

// childExit is a process that ended by itself.
type childExit struct {
	child
	how string
}

// children are processes that end together with this one, however it ends.
type children struct {
	list []child
	// exits gets each process that ends; there is room for all of them.
	exits chan childExit

	commands []*exec.Cmd
	running  sync.WaitGroup
	launcher *childproc.Launcher
}

// startChildren starts the processes. Where one cannot be started, none is left.
func startChildren(specs []childSpec) (*children, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	c := &children{exits: make(chan childExit, len(specs)), launcher: childproc.NewLauncher()}
	for _, spec := range specs {
		if err := c.start(program, spec); err != nil {
			c.stop()
			return nil, err
		}
	}
	return c, nil
}

func (c *children) start(program string, spec childSpec) error {
	cmd := exec.Command(program, spec.args...)
	cmd.Env = append(os.Environ(), spec.env...)
	cmd.Stderr = os.Stderr
	if err := c.launcher.StartInGroup(cmd); err != nil {
		return fmt.Errorf("start %s: %w", spec.name, err)
	}
	c.commands = append(c.commands, cmd)
	p := child{spec, cmd.Process.Pid}
	c.list = append(c.list, p)
	c.running.Go(func() {
		how := "done"
		if err := cmd.Wait(); err != nil {
			how = err.Error()
		}
		c.exits <- childExit{p, how}
	})
	return nil
}

// stop asks the processes to end, and kills those that still run after
// stopTime. It returns when all are gone.
func (c *children) stop() {
	c.signal(syscall.SIGTERM)
	late := time.AfterFunc(stopTime, func() { c.signal(os.Kill) })
	c.running.Wait()
	late.Stop()
	c.launcher.Close()
}

// signal sends s to those that still run.
func (c *children) signal(s os.Signal) {
	for _, cmd := range c.commands {
		if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			_ = cmd.Process.Kill() // no other signals on this system
		}
	}
}

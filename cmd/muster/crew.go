package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// dismissTime is how long a process may take to end before it is killed.
const dismissTime = 6 * time.Second

// duty is a process to run: this program, with other arguments.
type duty struct {
	name, purpose string
	args          []string
	env           []string // beside that of this process
}

// member is a process that was started.
type member struct {
	duty
	pid int
}

// ending is a process that ended by itself.
type ending struct {
	member
	how string
}

// crew is processes that end together with this one, however it ends.
type crew struct {
	members []member
	// ends tells of each process that ends; there is room for all of them.
	ends chan ending

	commands []*exec.Cmd
	running  sync.WaitGroup
	keeper   sync.WaitGroup
	over     chan struct{}
}

// hire starts the duties. Where one cannot be started, none is left.
func hire(duties []duty) (*crew, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	c := &crew{ends: make(chan ending, len(duties)), over: make(chan struct{})}
	started := make(chan error)
	c.keeper.Go(func() { c.keep(program, duties, started) })
	if err := <-started; err != nil {
		c.dismiss()
		return nil, err
	}
	return c, nil
}

// keep starts the processes on a thread that lasts as long as they may: Linux
// kills them when the thread ends that started them (see bound).
func (c *crew) keep(program string, duties []duty, started chan<- error) {
	runtime.LockOSThread() // never unlocked, so that the thread ends with this goroutine
	var err error
	for _, d := range duties {
		if err = c.start(program, d); err != nil {
			break
		}
	}
	started <- err
	<-c.over
}

func (c *crew) start(program string, d duty) error {
	cmd := exec.Command(program, d.args...)
	cmd.Env = append(os.Environ(), d.env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = bound()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", d.name, err)
	}
	c.commands = append(c.commands, cmd)
	m := member{d, cmd.Process.Pid}
	c.members = append(c.members, m)
	c.running.Go(func() {
		how := "done"
		if err := cmd.Wait(); err != nil {
			how = err.Error()
		}
		c.ends <- ending{m, how}
	})
	return nil
}

// dismiss ends the processes: it asks them first, and kills those that are
// still there after dismissTime. It returns when all are gone.
func (c *crew) dismiss() {
	c.signal(syscall.SIGTERM)
	late := time.AfterFunc(dismissTime, func() { c.signal(os.Kill) })
	c.running.Wait()
	late.Stop()
	close(c.over)
	c.keeper.Wait()
}

// signal sends s to those that still run.
func (c *crew) signal(s os.Signal) {
	for _, cmd := range c.commands {
		if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			_ = cmd.Process.Kill() // no other signals on this system
		}
	}
}

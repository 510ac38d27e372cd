package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"sync"

	"github.com/muster-fleet/muster/internal/childproc"
)

// Crew starts processes that end together with this one, however it ends
// (on Linux; elsewhere they outlive one that is killed). Close ends them.
type Crew struct {
	launcher *childproc.Launcher
	waiting  sync.WaitGroup

	mu      sync.Mutex
	running map[*Process]bool
}

// Process is one that a Crew started.
type Process struct {
	// PID is its process id.
	PID int
	// Gone is closed when it has ended.
	Gone chan struct{}
	cmd  *exec.Cmd
}

// NewCrew returns one without processes.
func NewCrew() *Crew {
	return &Crew{launcher: childproc.NewLauncher(), running: map[*Process]bool{}}
}

// Start runs a command, which must not have been started. It must not be
// called after Close.
func (c *Crew) Start(cmd *exec.Cmd) (*Process, error) {
	if err := c.launcher.StartInGroup(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &Process{PID: cmd.Process.Pid, Gone: make(chan struct{}), cmd: cmd}
	c.mu.Lock()
	c.running[p] = true
	c.mu.Unlock()
	c.waiting.Go(func() { c.bury(p) })
	return p, nil
}

func (c *Crew) bury(p *Process) {
	_ = p.cmd.Wait()
	c.mu.Lock()
	delete(c.running, p)
	c.mu.Unlock()
	close(p.Gone)
}

// Close kills what still runs, and returns when all of it is gone.
func (c *Crew) Close() {
	c.mu.Lock()
	for p := range c.running {
		_ = p.cmd.Process.Kill()
	}
	c.mu.Unlock()
	c.waiting.Wait()
	c.launcher.Close()
}

// Signal sends a signal to it. One that has ended does not mind.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends it at once, and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.Gone
}

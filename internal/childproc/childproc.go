// Package childproc starts processes that end with this one, even where it is
// killed. Linux offers that as Pdeathsig, which acts when the thread ends that
// started the process, not when the program does: so a [Launcher] keeps one
// thread for its children. Other systems have nothing alike, and a child
// outlives a parent that is killed.
package childproc

import (
	"os/exec"
	"runtime"
	"sync"
)

// Launcher starts processes on a thread of its own. Close it after the last of
// them has ended. Its methods may be called from several goroutines, but not
// after Close.
type Launcher struct {
	jobs   chan func()
	thread sync.WaitGroup
}

// NewLauncher returns a Launcher with a thread that lasts until Close.
func NewLauncher() *Launcher {
	l := &Launcher{jobs: make(chan func())}
	l.thread.Go(func() {
		runtime.LockOSThread() // never unlocked, so that the thread ends with this goroutine
		for job := range l.jobs {
			job()
		}
	})
	return l
}

// Do runs job on the thread, and returns when it is done: for what belongs to a
// thread, such as a network namespace, or for a command with attributes of the
// caller's own.
func (l *Launcher) Do(job func()) {
	done := make(chan struct{})
	l.jobs <- func() { defer close(done); job() }
	<-done
}

// Start starts a command that stays in the process group of this program.
func (l *Launcher) Start(cmd *exec.Cmd) error {
	bind(cmd)
	return l.start(cmd)
}

// StartInGroup starts a command in a process group of its own, which the
// Ctrl-C of a terminal does not reach. It does so only where the command ends
// with this program, so that the terminal can still end what would stay.
func (l *Launcher) StartInGroup(cmd *exec.Cmd) error {
	bind(cmd)
	ownGroup(cmd)
	return l.start(cmd)
}

func (l *Launcher) start(cmd *exec.Cmd) (err error) {
	l.Do(func() { err = cmd.Start() })
	return err
}

// Close gives the thread back. It is no way to end processes that still run:
// the thread may be the program's first, which Go keeps.
func (l *Launcher) Close() {
	close(l.jobs)
	l.thread.Wait()
}

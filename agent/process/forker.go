package process

import (
	"runtime"
	"sync"
)

// forker starts processes on one thread that lasts as long as they may: Linux
// kills a process that asked for it when the thread ends that has started it,
// not when the whole program does.
type forker struct {
	jobs chan func()
	over sync.WaitGroup
}

func newForker() *forker {
	f := &forker{jobs: make(chan func())}
	f.over.Go(func() {
		runtime.LockOSThread() // never unlocked, so that the thread ends with this goroutine
		for job := range f.jobs {
			job()
		}
	})
	return f
}

// do runs a job on the thread and returns when it is done.
func (f *forker) do(job func()) {
	done := make(chan struct{})
	f.jobs <- func() { defer close(done); job() }
	<-done
}

// close ends the thread, and with it what it has started.
func (f *forker) close() {
	close(f.jobs)
	f.over.Wait()
}

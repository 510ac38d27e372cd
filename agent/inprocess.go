package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/muster-fleet/muster/agent/process"
)

// InProcess makes nodes of a function, each a goroutine of this program: run
// calls ready when the node can take tasks, and returns when ctx is done. A nil
// return before that is a normal exit; an error, or a panic, is a crash. A
// goroutine cannot be killed: one that ignores ctx is left behind at the end of
// its grace period, and reported as a crash.
func InProcess(run func(ctx context.Context, s process.Spec, ready func()) error) process.Launcher {
	return inProcess{run}
}

type inProcess struct {
	run func(ctx context.Context, s process.Spec, ready func()) error
}

func (inProcess) PerTask() bool { return false }

func (l inProcess) Launch(ctx context.Context, s process.Spec) (process.Node, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &routine{cancel: cancel, ready: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer cancel()
		n.end(guarded(ctx, func() error { return l.run(ctx, s, sync.OnceFunc(func() { close(n.ready) })) }))
	}()
	return n, nil
}

// guarded turns a panic into an error, and ignores errors after a stop.
func guarded(ctx context.Context, run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := run(); ctx.Err() == nil {
		return err
	}
	return nil
}

// routine is a node that is a goroutine.
type routine struct {
	cancel      context.CancelFunc
	ready, done chan struct{}

	mu      sync.Mutex
	ended   bool
	err     error
	abandon *time.Timer
}

var errAbandoned = errors.New("the goroutine did not end within its grace, and is left behind")

func (n *routine) end(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.abandon != nil {
		n.abandon.Stop()
	}
	if !n.ended {
		n.ended, n.err = true, err
		close(n.done)
	}
}

func (n *routine) PID() int               { return 0 }
func (n *routine) Ready() <-chan struct{} { return n.ready }
func (n *routine) Done() <-chan struct{}  { return n.done }
func (n *routine) Status() string         { return "" }

// Err is valid once done is closed.
func (n *routine) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

func (n *routine) Stop(grace time.Duration) {
	n.cancel()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return
	}
	if n.abandon != nil && !n.abandon.Stop() {
		return
	}
	n.abandon = time.AfterFunc(grace, func() { n.end(errAbandoned) })
}

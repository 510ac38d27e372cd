package process

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// node is a process and all that it started.
type node struct {
	host          *Host
	spec          Spec
	user          *account
	mark          string
	limits        limits
	notifyChannel notifyChannel
	log           *slog.Logger

	cmd         *exec.Cmd
	exit        exit        // of the first process
	processTree processTree // all that belongs to the node
	output      *spool      // what it writes
	// release gives back what the node has had: sockets, files, its cgroup.
	release func()

	ready, done chan struct{}
	sayings     chan saying
	exited      chan struct{}
	stopped     chan struct{} // has room for one: Stop was called

	mu       sync.Mutex
	status   string
	errno    syscall.Errno // that it reported
	extended time.Time     // until when it asked to be waited for
	err      error
	asked    bool      // to end
	killAt   time.Time // where it was asked

	// Those of the goroutine that watches.
	fault    error // why it is made to end
	isReady  bool
	stopping bool // asked to end
	leaving  bool // it said so
	deadline struct{ ready, silence, end, parting *time.Timer }
}

func (n *node) PID() int               { return n.cmd.Process.Pid }
func (n *node) Ready() <-chan struct{} { return n.ready }
func (n *node) Done() <-chan struct{}  { return n.done }

func (n *node) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

func (n *node) Status() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

func (n *node) Stop(grace time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := time.Now().Add(max(grace, 0))
	if n.asked && !at.Before(n.killAt) {
		return
	}
	n.asked, n.killAt = true, at
	select {
	case n.stopped <- struct{}{}:
	default: // the watcher has not yet seen the last one, and will see this
	}
}

// run watches the node until nothing of it is left.
func (n *node) run() {
	var listening, waiting sync.WaitGroup
	listening.Go(func() {
		n.notifyChannel.listen(n, func(s saying) { n.sayings <- s })
		close(n.sayings)
	})
	waiting.Go(func() { n.exit.wait(); close(n.exited) })
	n.watch()
	waiting.Wait()
	n.processTree.end()
	listening.Go(n.notifyChannel.close) // beside this: it may be in the middle of a saying
	for s := range n.sayings {
		n.hear(s)
	}
	listening.Wait()
	n.finish()
}

// watch returns when the first process has ended, by itself or not.
func (n *node) watch() {
	d := &n.deadline
	d.ready, d.silence, d.end, d.parting = never(), never(), never(), never()
	defer n.rest()
	if n.limits.awaited == 0 {
		n.becomeReady()
	} else {
		d.ready.Reset(n.limits.awaited)
	}
	sayings := n.sayings
	for {
		select {
		case <-n.exited:
			return
		case s, ok := <-sayings:
			if !ok {
				sayings = nil
				continue
			}
			n.hear(s)
		case <-n.stopped:
			n.obey()
		case <-d.ready.C:
			n.fail(fmt.Errorf("did not say %s in time", n.limits.readiness))
		case <-d.silence.C:
			n.fail(fmt.Errorf("hangs: no %s for %v", n.limits.signs, n.limits.silence))
		case <-d.parting.C:
			n.fail(errors.New("said STOPPING=1 and did not end in time"))
		case <-d.end.C:
			n.processTree.strike()
		}
	}
}

// rest ends the waiting for signs of a node that is ending, and after its end.
func (n *node) rest() {
	n.deadline.ready.Stop()
	n.deadline.silence.Stop()
	n.deadline.parting.Stop()
}

// never is a timer that is not running.
func never() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// obey passes on that the node is to end, and sees to it that it does. The
// first time it is asked; later its time may be cut short.
func (n *node) obey() {
	n.mu.Lock()
	left := time.Until(n.killAt)
	n.mu.Unlock()
	n.rest()
	if left <= 0 {
		n.processTree.strike()
		return
	}
	if !n.stopping {
		n.stopping = true
		n.processTree.ask(n.limits.whole)
	}
	n.deadline.end.Reset(left)
}

// fail ends the node because of a fault.
func (n *node) fail(fault error) {
	if n.isAsked() {
		return // already stopping; its exit status no longer matters
	}
	if n.fault == nil {
		n.fault = fault
		n.log.Warn("node failed, killing it", "node", n.spec.ID, "err", fault)
	}
	n.processTree.strike()
}

// hear takes in what the node says of itself.
func (n *node) hear(s saying) {
	switch s.word {
	case saysReady:
		n.becomeReady()
	case saysAlive:
		n.sign()
	case saysStatus:
		n.setStatus(s.text)
	case saysStopping:
		n.depart()
	case saysErrno:
		n.mu.Lock()
		n.errno = s.errno
		n.mu.Unlock()
	case saysMoreTime:
		n.extend(s.time)
	case saysWatchdog:
		n.limits.silence = s.time
		n.sign()
	case saysFault:
		n.fail(s.err)
	}
}

// extend gives a node more time for what it is doing: to start, to end by
// itself, or to end on request.
func (n *node) extend(more time.Duration) {
	n.mu.Lock()
	asked, until := n.asked, time.Now().Add(more)
	switch {
	case asked && until.After(n.killAt) && n.killAt.After(time.Now()):
		n.killAt = until
		n.deadline.end.Reset(more)
	case !asked && !n.isReady:
		n.extended = until
	}
	n.mu.Unlock()
	switch {
	case asked:
	case n.leaving:
		n.deadline.parting.Reset(more)
	case !n.isReady:
		n.deadline.ready.Reset(more)
	}
}

// ExtendedUntil implements Extender.
func (n *node) ExtendedUntil() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.extended
}

func (n *node) setStatus(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status = text
}

func (n *node) isAsked() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *node) becomeReady() {
	if n.isReady {
		return
	}
	n.isReady = true
	n.deadline.ready.Stop()
	n.sign()
	n.log.Debug("node is ready", "node", n.spec.ID, "pid", n.PID())
	close(n.ready)
}

// sign begins to wait for the next sign of life.
func (n *node) sign() {
	n.deadline.silence.Stop()
	if n.isReady && n.limits.silence > 0 && !n.leaving && !n.isAsked() {
		n.deadline.silence.Reset(n.limits.silence)
	}
}

// depart lets a node end that has said that it will.
func (n *node) depart() {
	if n.isAsked() || n.leaving {
		return // and has a deadline
	}
	n.leaving = true
	n.rest()
	n.deadline.parting.Reset(n.limits.parting)
}

// finish closes the node's books: nothing of it is left.
func (n *node) finish() {
	ended := n.exit.status()
	tail := n.output.close()
	err := n.verdict(ended)
	if err != nil {
		err = fmt.Errorf("process: node %s: %w%s%s", n.spec.ID, err, n.lastReport(), tail)
		n.log.Warn("node ended with an error", "node", n.spec.ID, "err", err)
	} else {
		n.log.Debug("node ended", "node", n.spec.ID)
	}
	n.release()
	n.mu.Lock()
	n.err = err
	n.mu.Unlock()
	n.host.forget(n.spec.ID)
	close(n.done)
}

// lastReport is what the node said of itself, as part of an error's text.
func (n *node) lastReport() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	text := ""
	if n.errno != 0 {
		text = fmt.Sprintf("; its ERRNO: %d (%v)", int(n.errno), n.errno)
	}
	if n.status != "" {
		text += "; its STATUS: " + n.status
	}
	return text
}

var errUnasked = errors.New("ended without being asked")

// verdict says what was wrong with how the node ended.
func (n *node) verdict(ended error) error {
	switch {
	case n.fault != nil:
		return n.fault
	case n.isAsked():
		return nil
	case n.processTree.outOfMemory():
		return fmt.Errorf("killed: it needed more than its memory limit: %w", cmp.Or(ended, errUnasked))
	case ended != nil:
		return ended
	case n.limits.endless:
		return errUnasked
	case !n.isReady:
		return fmt.Errorf("ended before it said %s", n.limits.readiness)
	}
	return nil
}

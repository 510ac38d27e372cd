package process

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

// notifyChannel is how a node of some kind reports its state to the agent.
type notifyChannel interface {
	// prepare adds to the command what the node needs to speak. The files are
	// closed once it has started.
	prepare(cmd *exec.Cmd) (childs []*os.File, err error)
	// listen hears the node out: it says what it hears until close is called,
	// or the node can say nothing more.
	listen(n *node, say func(saying))
	// close ends listen once all has been heard that the node, which has
	// ended, has said.
	close()
	// release gives back what prepare took. It is called last.
	release()
}

// word is what a saying is about.
type word int

const (
	saysReady    word = iota // it can take tasks
	saysAlive                // it is alive
	saysStatus               // text for people
	saysErrno                // the error that makes it fail
	saysStopping             // it is about to end
	saysMoreTime             // it needs time to be ready
	saysWatchdog             // how often it will say that it is alive
	saysFault                // it has failed
)

// saying is something that a node has said.
type saying struct {
	word word
	text string
	time time.Duration
	err  error
	// errno is that of saysErrno.
	errno syscall.Errno
}

// silent is the channel of programs that report nothing.
type silent struct{}

func (silent) prepare(*exec.Cmd) ([]*os.File, error) { return nil, nil }
func (silent) listen(*node, func(saying))            {}
func (silent) close()                                {}
func (silent) release()                              {}

// limits are the deadlines of a kind of node.
type limits struct {
	// awaited is how long it may take to be ready; 0 is ready at once.
	awaited time.Duration
	// silence is the longest time without a sign of life once it is ready; 0
	// is forever.
	silence time.Duration
	// parting is the time to end once it has said that it will.
	parting time.Duration
	// endless nodes never end unless they are asked to.
	endless bool
	// whole nodes hear of their end all together, not only the first process.
	whole bool
	// signs is how a sign of life is called, and readiness that it is ready,
	// in errors.
	signs, readiness string
}

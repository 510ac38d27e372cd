package process

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Command is any program as a node.
type Command struct {
	// Argv is the program and its arguments. There is no shell. These words
	// stand for what they say, in any argument: {task} {room} {node} {agent}
	// {purpose}, and {spec} for the path of a file with the task's input as
	// JSON. Other braces stay as they are.
	Argv []string
	// PerTask makes a node of its own for every task also where Argv has none
	// of {task}, {room} and {spec}: the program reads the environment.
	PerTask bool
	// Dir is where the program runs; "" is the host's own directory.
	Dir string
	// Env is added to the environment, as "NAME=value".
	Env []string

	// Notify tells that the program speaks systemd's sd_notify protocol: it
	// is ready when it says READY=1. Otherwise it is ready when it runs.
	Notify bool
	// ReadyTimeout is how long it may take to be ready (default 60 s); it may
	// ask for more with EXTEND_TIMEOUT_USEC. It needs Notify.
	ReadyTimeout time.Duration
	// Watchdog is the longest time from READY=1, and from each WATCHDOG=1, to
	// the next; after that the node has failed and is killed. 0 is forever.
	// The program is told in WATCHDOG_USEC. It needs Notify.
	Watchdog time.Duration
	// StopTimeout is how long the program may take to end once it says
	// STOPPING=1 by itself (default 60 s).
	StopTimeout time.Duration
}

const (
	defaultReadyTimeout = time.Minute
	defaultStopTimeout  = time.Minute
)

// Validate says what in a command cannot work. Launch refuses such a command.
func (c Command) Validate() error {
	switch {
	case len(c.Argv) == 0 || c.Argv[0] == "":
		return errors.New("process: Command.Argv is empty: name a program")
	case c.ReadyTimeout < 0:
		return fmt.Errorf("process: Command.ReadyTimeout is %v: use a positive time, or 0 for the default", c.ReadyTimeout)
	case c.StopTimeout < 0:
		return fmt.Errorf("process: Command.StopTimeout is %v: use a positive time, or 0 for the default", c.StopTimeout)
	case c.Watchdog < 0:
		return fmt.Errorf("process: Command.Watchdog is %v: use a positive time, or 0 for none", c.Watchdog)
	case c.Watchdog > 0 && !c.Notify:
		return errors.New("process: Command.Watchdog needs Command.Notify: only a program that speaks sd_notify can say that it is alive")
	}
	for _, e := range c.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Errorf("process: Command.Env has %q: use NAME=value", e)
		}
	}
	return nil
}

// perTask reports that the command makes sense for one task only.
func (c Command) perTask() bool {
	return c.PerTask || c.mentions("{task}") || c.mentions("{room}") || c.mentions("{spec}")
}

func (c Command) mentions(word string) bool {
	for _, arg := range c.Argv {
		if strings.Contains(arg, word) {
			return true
		}
	}
	return false
}

// argv puts in what the words of Argv stand for, all of them in one pass:
// what a task is called is never taken for a word itself.
func (c Command) argv(s Spec, specFile string) []string {
	words := strings.NewReplacer("{task}", s.Task, "{room}", s.Room, "{node}", s.ID,
		"{agent}", s.Agent, "{purpose}", s.Purpose, "{spec}", specFile)
	argv := make([]string, len(c.Argv))
	for i, arg := range c.Argv {
		argv[i] = words.Replace(arg)
	}
	return argv
}

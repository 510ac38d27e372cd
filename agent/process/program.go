package process

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Command is any program as a node.
type Command struct {
	// Argv is the program and its arguments. There is no shell. These words
	// stand for what they say, in any argument: {task} {room} {node} {agent}
	// {purpose}, and {spec} for the path of a file with the task's input as
	// JSON. Other braces stay as they are. A word never makes an option: where
	// it begins an argument, and no argument before is "--", a value that
	// begins with "-" is refused (ErrSpec).
	Argv []string
	// PerTask makes a node of its own for every task also where Argv has none
	// of {task}, {room} and {spec}: the program reads the environment.
	PerTask bool
	// Dir is where the program runs; "" is the host's own directory.
	Dir string
	// Env is added to the environment, as "NAME=value".
	Env []string

	// User is the name of the user as which the program runs; "" is that of this
	// process. Another one needs root, and must be able to reach the program and Dir.
	User string

	// Notify reports that the program speaks systemd's sd_notify protocol: it
	// is ready when it says READY=1. Otherwise it is ready when it runs.
	Notify bool
	// ReadyTimeout is how long it may take to be ready (default 60 s); it may
	// ask for more with EXTEND_TIMEOUT_USEC. It needs Notify.
	ReadyTimeout time.Duration
	// Watchdog is the longest time from READY=1, and from each WATCHDOG=1, to
	// the next; after that the node has failed and is killed. 0 is forever.
	// The program reads it from WATCHDOG_USEC. It needs Notify.
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
	if _, err := accountOf(c.User); err != nil {
		return err
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
	return slices.ContainsFunc(c.Argv, func(arg string) bool { return strings.Contains(arg, word) })
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

// checkArgv returns why the command cannot be run for a task.
func (c Command) checkArgv(s Spec, argv []string) error {
	for _, name := range []struct{ field, text string }{{"Task", s.Task}, {"Room", s.Room}} {
		if strings.ContainsRune(name.text, 0) || len(name.text) > longestArgument {
			return fmt.Errorf("process: Spec.%s: %w: a name has up to %d bytes and no NUL", name.field, ErrSpec, longestArgument)
		}
	}
	for i, arg := range c.Argv {
		switch {
		case arg == "--":
			return nil // what follows are no options
		case len(argv[i]) > longestArgument:
			return fmt.Errorf("process: Command.Argv: %w: argument %d has more than %d bytes", ErrSpec, i, longestArgument)
		case strings.HasPrefix(argv[i], "-") && !strings.HasPrefix(arg, "-"):
			return fmt.Errorf(`process: Command.Argv: %w: %.60q would be taken for an option: write "--" before %s, or use a name that does not begin with "-"`,
				ErrSpec, argv[i], arg)
		}
	}
	return nil
}

// longestArgument is less than Linux takes for one argument or variable.
const longestArgument = 100 << 10

// Program launches nodes that are any program. One that is this program
// itself, in a process of its own, has os.Executable for Argv[0].
func (h *Host) Program(c Command) Launcher { return programs{h, c} }

type programs struct {
	host    *Host
	command Command
}

func (p programs) PerTask() bool { return p.command.perTask() }

func (p programs) Launch(ctx context.Context, s Spec) (Node, error) {
	c := p.command
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if p.PerTask() && s.Task == "" {
		return nil, errors.New("process: Spec.Task is empty, and the command is for one task")
	}
	return p.host.launch(ctx, s, func(back *undo) (kind, error) {
		env := slices.Clone(c.Env)
		who, err := accountOf(c.User)
		if err != nil {
			return kind{}, err
		}
		env = append(env, who.env()...)
		file, err := p.host.input(s, c.mentions("{spec}"), &env, back)
		argv := c.argv(s, file)
		if err == nil {
			err = c.checkArgv(s, argv)
		}
		if err == nil && file != "" {
			err = who.own(file)
		}
		return kind{argv: argv, env: env, dir: c.Dir, user: who, notifyChannel: p.notifyChannel(), limits: c.limits()}, err
	})
}

func (p programs) notifyChannel() notifyChannel {
	if p.command.Notify {
		return p.host.newNotify(p.command.Watchdog)
	}
	return silent{}
}

func (c Command) limits() limits {
	m := limits{whole: true, signs: "WATCHDOG=1", readiness: "READY=1"}
	if c.Notify {
		m.awaited = cmp.Or(c.ReadyTimeout, defaultReadyTimeout)
		m.silence = c.Watchdog
		m.parting = cmp.Or(c.StopTimeout, defaultStopTimeout)
	}
	return m
}

// largestInline is how large an input may be for the environment. Linux takes
// 128 KiB a variable, and all of them count against the room for arguments.
const largestInline = 64 << 10

// input puts a task's input where the program finds it, and returns the path of
// the file; "" is none. Where the command wants a file it gets one in any case.
func (h *Host) input(s Spec, wanted bool, env *[]string, back *undo) (string, error) {
	text := s.Input
	if len(text) == 0 {
		if !wanted {
			return "", nil
		}
		text = []byte("null")
	}
	path := h.path(dirSpecs, s.ID+".json")
	back.add(func() { _ = os.Remove(path) })
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", err
	}
	*env = append(*env, varSpecFile+"="+path)
	if len(text) <= largestInline && !bytes.ContainsRune(text, 0) {
		*env = append(*env, varSpec+"="+string(text))
	}
	return path, nil
}

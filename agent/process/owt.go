package process

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// OWTCommand is a node of OWT: a Node.js program that is started as
//
//	node ./workingNode <node id> <agent id> <configuration as JSON>
//
// with Node's channel between processes, and says READY, then IMOK every
// second. The configuration is one of its arguments only as far as the node sees:
// on the command line, which every user can read, it does not stand.
type OWTCommand struct {
	// Program is Node.js (default "node", looked for in PATH), and Script
	// what it runs (default "./workingNode").
	Program, Script string
	// Dir is where it runs: OWT's directory of the purpose, for Script and for
	// what that requires.
	Dir string
	// Config is the node's configuration, as OWT's agent passes it on; nil is
	// {}. It may hold a password. With one, Program must be Node.js.
	Config json.RawMessage
	// Env is added to the environment, as "NAME=value".
	Env []string
	// ReadyTimeout is how long it may take to say READY (default 60 s), and
	// Silence how long it may say nothing after that (default 3 s, OWT's).
	ReadyTimeout, Silence time.Duration
}

// owtSilence is three beats of a node.
const owtSilence = 3 * time.Second

// Validate says what in a command cannot work. Launch refuses such a command.
func (c OWTCommand) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("process: OWTCommand.Dir is empty: name the directory that has the script")
	case len(c.Config) > 0 && !json.Valid(c.Config):
		return fmt.Errorf("process: OWTCommand.Config is not JSON: %.60q", c.Config)
	case c.ReadyTimeout < 0:
		return fmt.Errorf("process: OWTCommand.ReadyTimeout is %v: use a positive time, or 0 for the default", c.ReadyTimeout)
	case c.Silence < 0:
		return fmt.Errorf("process: OWTCommand.Silence is %v: use a positive time, or 0 for OWT's 3 s", c.Silence)
	}
	return nil
}

// OWT launches nodes of OWT. They are started ahead of tasks.
func (h *Host) OWT(c OWTCommand) Launcher { return owtNodes{h, c} }

type owtNodes struct {
	host    *Host
	command OWTCommand
}

func (owtNodes) PerTask() bool { return false }

func (o owtNodes) Launch(ctx context.Context, s Spec) (Node, error) {
	c := o.command
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return o.host.launch(ctx, s, func(*undo) (kind, error) {
		channel, err := newChannel()
		if err != nil {
			return kind{}, err
		}
		k := kind{env: c.Env, dir: c.Dir, notifyChannel: channel, limits: c.limits()}
		program, args := cmp.Or(c.Program, "node"), []string{cmp.Or(c.Script, "./workingNode"), s.ID, s.Agent}
		if len(c.Config) == 0 {
			k.argv = append(append(k.argv, program), append(args, "{}")...)
			return k, nil
		}
		config, err := o.host.passConfig(c.Config)
		k.argv = append(append(k.argv, program, "-r", config.script), args...)
		k.env = append(slices.Clone(k.env), config.env())
		k.files = []*os.File{config.file}
		return k, err
	})
}

// limits are OWT's: its agent signals the first process only, and takes every
// end that it did not ask for as a failure, whatever the exit status.
func (c OWTCommand) limits() limits {
	return limits{
		awaited: cmp.Or(c.ReadyTimeout, defaultReadyTimeout), silence: cmp.Or(c.Silence, owtSilence),
		endless: true, signs: "IMOK", readiness: "READY",
	}
}

// longestLine bounds a message of a node, of which all that mean something are
// a few bytes long.
const longestLine = 64 << 10

// hearOWT says what the lines of a node's channel mean, until the channel ends
// or a line means nothing.
func hearOWT(channel io.Reader, say func(saying)) {
	lines := bufio.NewScanner(channel)
	lines.Buffer(make([]byte, 512), longestLine)
	for lines.Scan() {
		s, meant := understandOWT(lines.Bytes())
		if meant {
			say(s)
		}
		if s.word == saysFault && meant {
			return
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		say(saying{word: saysFault, err: fmt.Errorf("sent a message of more than %d bytes", longestLine)})
	}
}

// understandOWT reads a message. Node's own messages to its like, which no
// program sees, mean nothing here.
func understandOWT(line []byte) (s saying, meant bool) {
	var text string
	var own struct {
		Cmd string `json:"cmd"`
	}
	switch {
	case json.Unmarshal(line, &text) == nil && text == "READY":
		return saying{word: saysReady}, true
	case text == "IMOK":
		return saying{word: saysAlive}, true
	case json.Unmarshal(line, &own) == nil && strings.HasPrefix(own.Cmd, "NODE_"):
		return saying{}, false
	case !json.Valid(line):
		return saying{word: saysFault, err: fmt.Errorf("sent what is not JSON: %.80q", line)}, true
	}
	return saying{word: saysFault, err: fmt.Errorf("reports a fault: %.200s", printable(string(line)))}, true
}

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// OWTCommand is a node of OWT: a Node.js program that is started as
//
//	node ./workingNode <node id> <agent id> <configuration as JSON>
//
// with Node's channel between processes, and says READY, then IMOK every
// second.
type OWTCommand struct {
	// Program is Node.js (default "node", looked for in PATH), and Script
	// what it runs (default "./workingNode").
	Program, Script string
	// Dir is where it runs: OWT's directory of the purpose, for Script and for
	// what that requires.
	Dir string
	// Config is the node's configuration, as OWT's agent passes it on; nil is
	// {}.
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

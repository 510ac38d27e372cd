package process

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
)

// Options are a host's settings. Zero values stand for the defaults.
type Options struct {
	// Dir is the directory of this agent alone, and stays the same from start
	// to start: records, logs and sockets are kept here. It is made where it
	// is missing. One host at a time may have it.
	Dir string
	// Agent names the agent, for the names of cgroups.
	Agent string
	// LogSize is how many bytes of a node's output go into one file
	// (default 10 MiB), and LogFiles how many such files a node keeps, at
	// least 2 (default 5). The oldest is deleted.
	LogSize  int64
	LogFiles int
	// LogNodes is of how many ended nodes the output is kept (default 200).
	LogNodes int
	// Limits hold for each node.
	Limits Limits
	// NoCgroups does without control groups also where there could be some.
	NoCgroups bool
	// Logger gets the messages of the host; nil discards them.
	Logger *slog.Logger
}

// Limits bound a node and all that it starts. They need a cgroup (Linux, and
// the right to make one); elsewhere the host says once that they do not hold.
type Limits struct {
	// MemoryBytes is the most memory of a node; one that needs more is killed
	// by the kernel. 0 is no limit.
	MemoryBytes int64
	// CPUs is the most processors of a node: 0.5 is half of one. 0 is no limit.
	CPUs float64
}

func (l Limits) some() bool { return l.MemoryBytes > 0 || l.CPUs > 0 }

// Defaults of Options.
const (
	defaultLogSize  = 10 << 20
	defaultLogFiles = 5
	defaultLogNodes = 200
)

// complete checks the options and fills in the defaults.
func (o Options) complete() (Options, error) {
	if err := o.check(); err != nil {
		return o, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("process: Options.Dir: %w", err)
	}
	o.Dir = dir
	o.LogSize = cmp.Or(o.LogSize, defaultLogSize)
	o.LogFiles = cmp.Or(o.LogFiles, defaultLogFiles)
	o.LogNodes = cmp.Or(o.LogNodes, defaultLogNodes)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler)).With("component", "process")
	return o, nil
}

func (o Options) check() error {
	switch {
	case o.Dir == "":
		return errors.New("process: Options.Dir is empty: give the agent a directory of its own")
	case !validName(o.Agent):
		return fmt.Errorf("process: Options.Agent: %w", nameError(o.Agent))
	case o.LogSize < 0:
		return fmt.Errorf("process: Options.LogSize is %d: use a number of bytes, or 0 for the default", o.LogSize)
	case o.LogFiles < 0 || o.LogFiles == 1:
		return fmt.Errorf("process: Options.LogFiles is %d: use at least 2, or 0 for the default", o.LogFiles)
	case o.LogNodes < 0:
		return fmt.Errorf("process: Options.LogNodes is %d: use a number of nodes, or 0 for the default", o.LogNodes)
	case o.Limits.MemoryBytes < 0:
		return fmt.Errorf("process: Options.Limits.MemoryBytes is %d: use a number of bytes, or 0 for no limit", o.Limits.MemoryBytes)
	case !(o.Limits.CPUs >= 0 && o.Limits.CPUs < 1e6):
		return fmt.Errorf("process: Options.Limits.CPUs is %v: use a number of processors, or 0 for no limit", o.Limits.CPUs)
	}
	return nil
}

package process

import (
	"errors"

	"github.com/muster-fleet/muster/worker/load"
)

// Host runs the nodes of one agent.
type Host struct{ opts Options }

// LogChunk is a piece of a node's output.
type LogChunk struct {
	// Data is the output from Offset on, as the node wrote it.
	Data []byte
	// Offset is the place of Data's first byte in all that the node has ever
	// written. It is more than was asked for where the oldest is deleted.
	Offset int64
	// Next is where to go on reading.
	Next int64
	// Ended tells that the node has ended and that there is nothing after Next.
	Ended bool
}

var errNotYet = errors.New("process: not written yet")

// Open takes Options.Dir, ends what an earlier host of it has left behind, and
// makes ready for nodes. The error names the option that is at fault.
func Open(opts Options) (*Host, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	return &Host{opts: opts}, nil
}

// Orphans is how many processes of an earlier host Open has ended.
func (h *Host) Orphans() int { return 0 }

// OWT launches nodes of OWT.
func (h *Host) OWT(c OWTCommand) Launcher { return nil }

// Program launches nodes that are any program.
func (h *Host) Program(c Command) Launcher { return nil }

// ReadLog returns what a node has written to its standard output and error
// from offset on, at most limit bytes (0: 64 KiB). A negative offset counts
// from the end. It does not wait: at the end Data is empty.
func (h *Host) ReadLog(node string, offset int64, limit int) (LogChunk, error) {
	return LogChunk{}, errNotYet
}

// Load is the part of the machine's processors that the host's nodes use, with
// all that they started.
func (h *Host) Load() load.Source { return nil }

// Close kills the nodes that still run, and returns when nothing of the host
// is left.
func (h *Host) Close() error { return nil }

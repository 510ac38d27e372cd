package raft

import (
	"log/slog"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// Observer is called by the owner of the state for each command that another
// manager proposed. The events are valid during the call only.
type Observer func(cmd state.Command, result state.Result, events []muster.Event)

// Applier applies Commits to a manager's copy of the state. It belongs to the
// owner of the state.
type Applier struct {
	observe Observer
	log     *slog.Logger
	state   *state.State
	role    replica.Role
	index   uint64
	// writing is the snapshot that is being written, nil for none.
	writing *SnapshotJob
	piece   int // bytes of it at a time
	// quiet leaves out the events of tasks where observe is nil.
	quiet bool
}

// NewApplier returns a copy of an empty state. observe and log may be nil.
func NewApplier(cfg state.Config, observe Observer, log *slog.Logger) *Applier {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Applier{state: state.New(cfg), observe: observe, log: log, piece: snapshotPiece}
}

// TaskEvents says whether Done is given the events of tasks, too.
// Where there is an Observer it is, and so is the Observer.
func (c *Applier) TaskEvents(wanted bool) { c.quiet = !wanted }

// State returns the copy.
func (c *Applier) State() *state.State { return c.state }

// Index returns the last entry of the log that was applied.
func (c *Applier) Index() uint64 { return c.index }

// Role returns the manager's role as of the last Commit.
func (c *Applier) Role() replica.Role { return c.role }

// snapshotPiece is how large a piece of a snapshot is, in bytes: about a
// millisecond's work.
const snapshotPiece = 128 << 10

// TakeSnapshotJob writes a piece of the snapshot for which a Commit asked, if there
// is one, and returns its job once it is complete, to be passed to Core.Compacted.
// It must be called again while IsWriting.
func (c *Applier) TakeSnapshotJob() *SnapshotJob {
	job := c.writing
	if job == nil || !job.data.Write(c.piece) {
		return nil
	}
	c.writing = nil
	return job
}

// IsWriting reports whether a snapshot is begun and not complete.
func (c *Applier) IsWriting() bool { return c.writing != nil }

// Apply applies a Commit.
func (c *Applier) Apply(done Commit) {
	switch {
	case done.Role != nil:
		c.role = *done.Role
	case done.reads != nil:
		for _, f := range done.reads {
			f(c.state, done.err)
		}
	case done.job != nil:
		c.writing = done.job
		c.writing.begin(c.state)
	case done.err != nil:
		for _, p := range done.own {
			p.Done(state.Result{}, nil, done.err)
		}
	default:
		c.applyEntry(done)
	}
}

func (c *Applier) applyEntry(done Commit) {
	if done.state != nil {
		c.state = done.state
	}
	c.state.TaskEvents(!c.quiet || c.observe != nil)
	for _, p := range done.own {
		result, events := c.state.Apply(p.Command)
		p.Done(result, events, nil)
	}
	if done.batch.kind == recordBatch {
		c.applyBatch(done)
	}
	c.index = done.Index
}

// applyBatch applies commands of other managers. All managers ignore a malformed
// batch alike.
func (c *Applier) applyBatch(done Commit) {
	commands, err := done.batch.commands()
	if err != nil {
		c.log.Error("malformed entry ignored", "index", done.Index, "err", err)
	}
	c.state.TaskEvents(c.observe != nil)
	for _, cmd := range commands {
		result, events := c.state.Apply(cmd)
		if c.observe != nil {
			c.observe(cmd, result, events)
		}
	}
}
